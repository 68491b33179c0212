# Runs "$2…" and ends it when whoever started this script is gone.
#
# A test run that is killed cannot clean up. But the pipe that it holds to this script closes whatever happens to it, so a
# reader at its other end notices. Each line on the pipe is the name of a signal to pass on; at its end the program gets $1.
last=$1
shift
exec 3<&0
"$@" </dev/null 3<&- &
program=$!
{
    while read -r signal; do kill -s "$signal" "$program"; done <&3
    kill -s "$last" "$program"
} 2>/dev/null &
watcher=$!
exec 3<&-
wait "$program"
code=$?
kill "$watcher" 2>/dev/null
exit "$code"
