%% Timed loops, and latencies of single units.
-module(peer_laps).
-export([now_ns/0, loop/3, median_ns/2, stamps/0, stamp/2, summary/1, median/1]).

now_ns() ->
    erlang:monotonic_time(nanosecond).

%% Calls Batch, which does so many units, until the time is over: how many units, in how many
%% nanoseconds, and those of each batch.
loop(Lasts, Units, Batch) ->
    Begun = now_ns(),
    loop(Begun, Begun + Lasts, Units, Batch, []).

loop(Begun, End, Units, Batch, Laps) ->
    Batch(),
    Now = now_ns(),
    All = [Now - Begun | Laps],
    if
        Now < End -> loop(Now, End, Units, Batch, All);
        true -> {length(All) * Units, lists:sum(All), All}
    end.

%% Of a unit, in the middle one of all batches.
median_ns(Laps, Units) ->
    lists:nth(length(Laps) div 2 + 1, lists:sort(Laps)) / Units.

%% A histogram: exact below 256 ns, then 128 steps to each doubling.
-define(STEPS, 128).
-define(BUCKETS, 256 + 40 * ?STEPS).

stamps() ->
    counters:new(?BUCKETS, [write_concurrency]).

stamp(Stamps, Ns) when Ns < 256 ->
    counters:add(Stamps, Ns + 1, 1);
stamp(Stamps, Ns) ->
    counters:add(Stamps, bucket(Ns, 0) + 1, 1).

bucket(Ns, Doublings) when Ns < 256 ->
    Doublings * ?STEPS + Ns;
bucket(Ns, Doublings) when Doublings < 39 ->
    bucket(Ns bsr 1, Doublings + 1);
bucket(_, _) ->
    ?BUCKETS - 1.

summary(Stamps) ->
    Counts = [{value(Index), Count} || Index <- lists:seq(0, ?BUCKETS - 1),
              Count <- [counters:get(Stamps, Index + 1)], Count > 0],
    All = lists:sum([Count || {_, Count} <- Counts]),
    Mean = lists:sum([Ns * Count || {Ns, Count} <- Counts]) div max(All, 1),
    At = fun(Share) -> at(Counts, max(1, ceil(All * Share))) end,
    [{"mean", Mean}, {"p50", At(0.5)}, {"p90", At(0.9)}, {"p99", At(0.99)},
     {"p999", At(0.999)}, {"max", At(1.0)}].

median(Summary) ->
    proplists:get_value("p50", Summary).

at([{Ns, _}], _) -> Ns;
at([{Ns, Count} | _], Rank) when Rank =< Count -> Ns;
at([{_, Count} | Rest], Rank) -> at(Rest, Rank - Count).

%% The middle of a bucket.
value(Index) when Index < 256 ->
    Index;
value(Index) ->
    Doublings = (Index - ?STEPS) div ?STEPS,
    Within = Index - Doublings * ?STEPS,
    (Within bsl Doublings) + (1 bsl Doublings) div 2.
