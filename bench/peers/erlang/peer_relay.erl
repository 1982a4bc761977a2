%% ring and ping-pong: processes that pass one message on and on.
-module(peer_relay).
-export([ring/1, ping_pong/1]).

-define(RING, 100).
%% Hops between two readings of the clock.
-define(LAP, 1000).

ring(Lasts) ->
    {Count, Ns, Median} = race(lists:duplicate(?RING, 1), ?LAP, Lasts),
    {Count, Ns, none, [{"hop_ns", Median}]}.

ping_pong(Lasts) ->
    {Count, Ns, Across} = race([1, 2], ?LAP, Lasts),
    {_, _, Local} = race([1, 1], ?LAP, Lasts),
    {Count, Ns, none, [{"message_ns", Across}, {"local_message_ns", Local}]}.

%% Laps of so many hops round processes on these schedulers.
race(Schedulers, Hops, Lasts) ->
    [First | _] = Runners = [peer_main:spawn_on(Scheduler, fun() -> joins() end)
                             || Scheduler <- Schedulers],
    Nexts = tl(Runners) ++ [First],
    [Runner ! {join, Next, self()} || {Runner, Next} <- lists:zip(Runners, Nexts)],
    {Count, Ns, Laps} = peer_laps:loop(Lasts, Hops, fun() ->
        First ! {pass, Hops},
        receive done -> ok end
    end),
    {Count, Ns, peer_laps:median_ns(Laps, Hops)}.

joins() ->
    receive
        {join, Next, Judge} -> runs(Next, Judge)
    end.

runs(Next, Judge) ->
    receive
        {pass, 0} ->
            Judge ! done,
            runs(Next, Judge);
        {pass, Left} ->
            Next ! {pass, Left - 1},
            runs(Next, Judge)
    end.
