# Job control, traps, pipes and children in bash; ends with 3 at SIGTERM.
set -m
hits=0
trap 'hits=$((hits + 1))' USR1
for i in 1 2 3 4 5; do kill -USR1 $$; done
echo "hits $hits"
sh -c 'kill -STOP $$; exit 4' &
job=$!
until [ "$(jobs -s)" ]; do sleep 0.01; done
echo "stopped"
kill -CONT $job
while kill -0 $job 2>/dev/null; do sleep 0.01; done # `wait` may still answer that it was stopped
wait $job
echo "code $?"
seq 1000 | sort -rn | head -1
(sleep 0.02; exit 5) & slow=$!
(exit 6) & quick=$!
wait -f $quick; first=$?
wait -f $slow
echo "children $first $?  $(bash -c 'exit 7' || echo $?)"
sh -c 'kill -9 $$'
echo "killed $?"
trap 'exit 3' TERM
echo ready
while :; do sleep 0.05; done
