%% ask-local, ask-cross and fan-out.
-module(peer_asks).
-export([local/1, cross/1, fan_out/1, counter/1, ask/2]).

-define(BATCH, 512).
-define(CALLEES, 1000).

local(Lasts) ->
    Callee = peer_main:spawn_on(1, fun() -> counter(0) end),
    {Count, Ns, Laps} = asks(Callee, Lasts),
    Summary = stamped(Callee, Lasts),
    {Count, Ns, Summary, [{"ask_ns", peer_laps:median_ns(Laps, ?BATCH)}]}.

cross(Lasts) ->
    Callee = peer_main:spawn_on(2, fun() -> counter(0) end),
    {Count, Ns, _} = asks(Callee, Lasts),
    Summary = stamped(Callee, Lasts),
    {Many, ManyNs} = outstanding({Callee}, 256, Lasts),
    {Count, Ns, Summary, [{"ask_ns", peer_laps:median(Summary)},
                          {"asks_per_s_256", Many * 1.0e9 / ManyNs}]}.

fan_out(Lasts) ->
    Callees = fun(Scheduler) ->
        Spawned = [peer_main:spawn_on(Scheduler, fun() -> counter(0) end)
                   || _ <- lists:seq(1, ?CALLEES)],
        list_to_tuple(Spawned)
    end,
    {Count, Ns} = outstanding(Callees(1), 64, Lasts),
    {Across, AcrossNs} = outstanding(Callees(2), 256, Lasts),
    {Count, Ns, none, [{"asks_per_s", Count * 1.0e9 / Ns},
                       {"cross_asks_per_s", Across * 1.0e9 / AcrossNs}]}.

%% Adds what it is sent to its state, and answers the sum.
counter(Sum) ->
    receive
        {ask, From, Ref, More} ->
            From ! {Ref, Sum + More},
            counter(Sum + More)
    end.

%% The reference is new, so the receive looks at nothing older than it.
ask(Callee, More) ->
    Ref = make_ref(),
    Callee ! {ask, self(), Ref, More},
    receive
        {Ref, Sum} -> Sum
    end.

asks(Callee, Lasts) ->
    repeat(2000, Callee),
    peer_laps:loop(Lasts, ?BATCH, fun() -> repeat(?BATCH, Callee) end).

repeat(0, _) ->
    ok;
repeat(Left, Callee) ->
    ask(Callee, 1),
    repeat(Left - 1, Callee).

stamped(Callee, Lasts) ->
    Stamps = peer_laps:stamps(),
    peer_laps:loop(Lasts, 256, fun() -> stamped_asks(256, Callee, Stamps) end),
    peer_laps:summary(Stamps).

stamped_asks(0, _, _) ->
    ok;
stamped_asks(Left, Callee, Stamps) ->
    Begun = peer_laps:now_ns(),
    ask(Callee, 1),
    peer_laps:stamp(Stamps, peer_laps:now_ns() - Begun),
    stamped_asks(Left - 1, Callee, Stamps).

%% One caller keeps so many asks under way, to its callees in turn; which answer belongs to which
%% does not matter here, so one reference is enough.
outstanding(Callees, Many, Lasts) ->
    Ref = make_ref(),
    Next = lists:foldl(fun(_, At) -> send(Callees, At, Ref) end, 1, lists:seq(1, Many)),
    put(next, Next),
    {Count, Ns, _} = peer_laps:loop(Lasts, 256, fun() ->
        put(next, turn(256, Callees, get(next), Ref))
    end),
    lists:foreach(fun(_) -> receive {Ref, _} -> ok end end, lists:seq(1, Many)),
    {Count, Ns}.

turn(0, _, At, _) ->
    At;
turn(Left, Callees, At, Ref) ->
    receive
        {Ref, _} -> turn(Left - 1, Callees, send(Callees, At, Ref), Ref)
    end.

send(Callees, At, Ref) ->
    element(At, Callees) ! {ask, self(), Ref, 1},
    if
        At < tuple_size(Callees) -> At + 1;
        true -> 1
    end.
