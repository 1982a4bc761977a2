%% Erlang's processes in the peers' workloads: the command line, and the JSON line.
%%
%% Processes are bare ones that receive in a loop, and an ask is a reference sent along: what
%% gen_server:call adds to that (a monitor, a time limit) is left out, in Erlang's favour.
%% The scheduler option of spawn_opt keeps a process on one core.
-module(peer_main).
-export([main/1, spawn_on/2]).

main(["describe" | _]) ->
    io:format(
        "{\"peer\":\"erlang\",\"version\":\"~s\",\"is_virtual\":false,"
        "\"mailbox\":\"unbounded\",\"modes\":["
        "{\"name\":\"default\",\"spins\":false},{\"name\":\"park\",\"spins\":false},"
        "{\"name\":\"busy-wait\",\"spins\":true},{\"name\":\"hibernate\",\"spins\":false}]}~n",
        [version()]
    ),
    halt(0);
main([Workload, Mode, Seconds, Keys]) ->
    Lasts = round(number(Seconds) * 1.0e9),
    Self = self(),
    %% Whoever measures is a process on the first core, too.
    spawn_on(1, fun() -> Self ! {answer, work(Workload, Mode, Lasts, list_to_integer(Keys))} end),
    receive
        {answer, Answer} -> line(Workload, Mode, Answer)
    end,
    halt(0).

work(Workload, "hibernate", _, _) when Workload =/= "activate", Workload =/= "idle" ->
    {dash, "the same as in the mode default"};
work("ask-local", _, Lasts, _) -> peer_asks:local(Lasts);
work("ask-cross", _, Lasts, _) -> peer_asks:cross(Lasts);
work("tell-local", _, Lasts, _) -> peer_tells:tell(Lasts, 1);
work("tell-cross", _, Lasts, _) -> peer_tells:tell(Lasts, 2);
work("fan-in", _, Lasts, _) -> peer_tells:fan_in(Lasts);
work("fan-out", _, Lasts, _) -> peer_asks:fan_out(Lasts);
work("ring", _, Lasts, _) -> peer_relay:ring(Lasts);
work("ping-pong", _, Lasts, _) -> peer_relay:ping_pong(Lasts);
work("activate", Mode, _, Keys) -> peer_life:activate(Mode, Keys);
work("idle", Mode, _, _) -> peer_life:idle(Mode).

%% Spawns a process that stays with one scheduler.
spawn_on(Scheduler, Fun) ->
    spawn_opt(Fun, [link, {scheduler, Scheduler}]).

line(Workload, Mode, {dash, Why}) ->
    io:format("{~s,\"count\":0,\"seconds\":0,\"rate_per_s\":0,\"latency_ns\":null,"
              "\"figures\":{},\"dash\":\"~s\"}~n", [head(Workload, Mode), Why]);
line(Workload, Mode, {Count, Ns, Latency, Figures}) ->
    Shown = [io_lib:format("\"~s\":~s", [Name, real(Value)]) || {Name, Value} <- Figures],
    io:format("{~s,\"count\":~b,\"seconds\":~s,\"rate_per_s\":~s,\"latency_ns\":~s,"
              "\"figures\":{~s},\"dash\":null}~n",
              [head(Workload, Mode), Count, real(Ns / 1.0e9), real(Count * 1.0e9 / max(Ns, 1)),
               latency(Latency), lists:join(",", Shown)]).

head(Workload, Mode) ->
    io_lib:format("\"peer\":\"erlang\",\"version\":\"~s\",\"mode\":\"~s\",\"spins\":~s,"
                  "\"workload\":\"~s\"",
                  [version(), Mode, Mode =:= "busy-wait", Workload]).

latency(none) ->
    "null";
latency(Summary) ->
    Parts = [io_lib:format("\"~s\":~b", [Name, Ns]) || {Name, Ns} <- Summary],
    ["{", lists:join(",", Parts), "}"].

real(Value) ->
    io_lib:format("~.6f", [float(Value)]).

number(Text) ->
    case string:to_float(Text) of
        {error, _} -> float(list_to_integer(Text));
        {Number, _} -> Number
    end.

version() ->
    Release = erlang:system_info(otp_release),
    File = filename:join([code:root_dir(), "releases", Release, "OTP_VERSION"]),
    case file:read_file(File) of
        {ok, Version} -> string:trim(Version);
        _ -> Release
    end.
