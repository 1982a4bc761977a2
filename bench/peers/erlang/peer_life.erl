%% activate and idle.
-module(peer_life).
-export([activate/2, idle/1, sleeper/1]).

%% Spawned and asked together, so that the scheduler does not go back and forth for each.
-define(TOGETHER, 50).
-define(STATE_BYTES, 8).
-define(IDLE_MS, 2000).
-define(ACTORS, 1000).

activate(Mode, Keys) ->
    Before = resident_bytes(),
    First = make(Mode, Keys, []),
    Bytes = (resident_bytes() - Before) / Keys - ?STATE_BYTES,
    bury(First),
    Begun = peer_laps:now_ns(),
    Second = make(Mode, Keys, []),
    Ns = peer_laps:now_ns() - Begun,
    Made = length(Second),
    {Made, Ns, none, [{"activations_per_s", Made * 1.0e9 / Ns}, {"bytes_per_idle_actor", Bytes}]}.

idle(Mode) ->
    make(Mode, ?ACTORS, []),
    Used = processor_ms(),
    Begun = peer_laps:now_ns(),
    timer:sleep(?IDLE_MS),
    Ms = (peer_laps:now_ns() - Begun) / 1.0e6,
    {0, round(Ms * 1.0e6), none, [{"cpu_percent", (processor_ms() - Used) / Ms * 100}]}.

make(_, Left, Made) when Left =< 0 ->
    Made;
make(Mode, Left, Made) ->
    Count = min(Left, ?TOGETHER),
    Ref = make_ref(),
    New = [begin
        Actor = new(Mode),
        Actor ! {ask, self(), Ref, 1},
        Actor
    end || _ <- lists:seq(1, Count)],
    lists:foreach(fun(_) -> receive {Ref, 1} -> ok end end, New),
    make(Mode, Left - Count, New ++ Made).

new("hibernate") -> spawn(fun() -> sleeper(0) end);
new(_) -> spawn(fun() -> peer_asks:counter(0) end).

%% As the counter, but gives its heap back after each ask.
sleeper(Sum) ->
    receive
        {ask, From, Ref, More} ->
            From ! {Ref, Sum + More},
            erlang:hibernate(?MODULE, sleeper, [Sum + More])
    end.

%% Ends them, and waits until they are gone: the memory that the next ones get is touched then.
bury(Actors) ->
    Left = erlang:system_info(process_count) - length(Actors),
    [exit(Actor, kill) || Actor <- Actors],
    wait_for(Left).

wait_for(Left) ->
    case erlang:system_info(process_count) =< Left of
        true -> ok;
        false -> timer:sleep(10), wait_for(Left)
    end.

resident_bytes() ->
    erlang:garbage_collect(),
    {ok, Statm} = file:read_file("/proc/self/statm"),
    [_, Pages | _] = string:lexemes(Statm, " "),
    binary_to_integer(Pages) * 4096.

%% User and system time, in hundredths of a second on every Linux.
processor_ms() ->
    {ok, Stat} = file:read_file("/proc/self/stat"),
    [_, After] = string:split(Stat, ")", trailing),
    Fields = string:lexemes(After, " "),
    Ticks = fun(Field) -> binary_to_integer(lists:nth(Field + 1, Fields)) end,
    (Ticks(11) + Ticks(12)) * 10.
