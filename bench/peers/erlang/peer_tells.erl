%% tell-local, tell-cross and fan-in. Mailboxes have no bound, so the receiver tells every 64
%% messages how far it is, and senders wait who are too far ahead.
-module(peer_tells).
-export([tell/2, fan_in/1]).

-define(BATCH, 1000).
-define(WINDOW, 1024).
-define(SENDERS, 100).
%% In fan-in, on the way at once from all senders together.
-define(WIDE_WINDOW, 4096).

tell(Lasts, Scheduler) ->
    Received = atomics:new(1, []),
    Target = peer_main:spawn_on(Scheduler, fun() -> receiver(0, 0, Received) end),
    Begun = peer_laps:now_ns(),
    put(sent, 0),
    {Count, _, _} = peer_laps:loop(Lasts, ?BATCH, fun() ->
        put(sent, tells(?BATCH, get(sent), Target, Received))
    end),
    Count = arrived(Target, Count),
    Ns = peer_laps:now_ns() - Begun,
    {Count, Ns, none, [{"messages_per_s", Count * 1.0e9 / Ns}]}.

tells(0, Sent, _, _) ->
    Sent;
tells(Left, Sent, Target, Received) ->
    case Sent band 63 of
        0 -> wait_for_room(Sent, Received);
        _ -> ok
    end,
    Target ! {tell, 1},
    tells(Left - 1, Sent + 1, Target, Received).

wait_for_room(Sent, Received) ->
    case Sent < atomics:get(Received, 1) + ?WINDOW of
        true -> ok;
        false -> erlang:yield(), wait_for_room(Sent, Received)
    end.

%% Adds up what it is told.
receiver(Sum, Count, Received) ->
    receive
        {tell, More} ->
            case Count band 63 of
                63 -> atomics:put(Received, 1, Count + 1);
                _ -> ok
            end,
            receiver(Sum + More, Count + 1, Received);
        {sum, From} ->
            From ! {sum, Sum},
            receiver(Sum, Count, Received)
    end.

%% Waits until all has arrived; says how much it was.
arrived(Target, Sent) ->
    Target ! {sum, self()},
    receive
        {sum, Sent} -> Sent;
        {sum, Fewer} when Fewer < Sent -> arrived(Target, Sent)
    end.

fan_in(Lasts) ->
    {Count, Ns} = pour(Lasts, 2),
    {Local, LocalNs} = pour(Lasts, 1),
    {Count, Ns, none, [{"messages_per_s", Count * 1.0e9 / Ns},
                       {"local_messages_per_s", Local * 1.0e9 / LocalNs}]}.

pour(Lasts, Scheduler) ->
    Received = atomics:new(1, []),
    Target = peer_main:spawn_on(Scheduler, fun() -> receiver(0, 0, Received) end),
    Begun = peer_laps:now_ns(),
    Self = self(),
    Senders = [peer_main:spawn_on(1, fun() ->
        Self ! {sent, self(), pours(0, Begun + Lasts, Target, Received)}
    end) || _ <- lists:seq(1, ?SENDERS)],
    Sent = lists:sum([receive {sent, Sender, Count} -> Count end || Sender <- Senders]),
    Sent = arrived(Target, Sent),
    {Sent, peer_laps:now_ns() - Begun}.

%% Eight messages between two looks at how far the receiver is, 256 between two at the clock.
pours(Sent, End, Target, Received) when Sent band 255 =:= 0 ->
    case peer_laps:now_ns() < End of
        true -> pours_eight(Sent, End, Target, Received);
        false -> Sent
    end;
pours(Sent, End, Target, Received) ->
    pours_eight(Sent, End, Target, Received).

pours_eight(Sent, End, Target, Received) ->
    case Sent * ?SENDERS < atomics:get(Received, 1) + ?WIDE_WINDOW of
        true ->
            eight(8, Target),
            pours(Sent + 8, End, Target, Received);
        false ->
            erlang:yield(),
            case peer_laps:now_ns() < End of
                true -> pours_eight(Sent, End, Target, Received);
                false -> Sent
            end
    end.

eight(0, _) ->
    ok;
eight(Left, Target) ->
    Target ! {tell, 1},
    eight(Left - 1, Target).
