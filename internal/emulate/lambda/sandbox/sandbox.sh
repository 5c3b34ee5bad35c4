# Becomes the sandbox, then runs the command. Runs as the first process of new
# mount and (unless PIDS is empty) PID namespaces; nothing here outlives it.
# usage: sh -c SCRIPT sluice-sandbox MOUNT UNSHARE PIDS TMP ROOT DIR FILES READONLY \
#          SHOWN PATH... KEPT PATH... SCRATCH PATH... COMMAND...
# SHOWN, KEPT and SCRATCH count the paths that follow them: those below /tmp that
# stay visible in the new one, those that stay writable, and those that lead to a
# directory of the same name below /tmp/scratch.
# File 3 holds the command's environment, as a script: what this shell has of its own
# can be read by the command, in /proc/1/environ.
set -eu
mount=$1 unshare=$2 pids=$3 tmp=$4 root=$5 dir=$6 files=$7 readonly=$8 shown=$9
shift 9

"$mount" --make-rprivate / 2>/dev/null || "$mount" --make-private / 2>/dev/null || true
if [ -n "$root" ]; then
	"$mount" --rbind "$root" "$root"
	mkdir -p "$root/dev" "$root/proc" "$root/tmp" 2>/dev/null || true
	"$mount" --rbind /dev "$root/dev"
	for f in /etc/resolv.conf /etc/hosts; do
		[ -e "$root$f" ] && "$mount" --bind "$f" "$root$f" || true
	done
fi
if [ -n "$pids" ]; then
	"$mount" -t proc proc "$root/proc"
elif [ -n "$root" ]; then
	"$mount" --rbind /proc "$root/proc"
fi

while [ "$shown" -gt 0 ]; do
	"$mount" --bind "$1" "$tmp${1#/tmp}"
	shown=$((shown - 1))
	shift
done
kept=$1 writable=" $root/tmp $root/proc "
shift
while [ "$kept" -gt 0 ]; do
	case $1 in
	/tmp/*) "$mount" --bind "$1" "$tmp${1#/tmp}" ;;
	*) "$mount" --bind "$root$1" "$root$1" ;;
	esac
	writable="$writable$root$1 "
	kept=$((kept - 1))
	shift
done
scratch=$1
shift
while [ "$scratch" -gt 0 ]; do
	at=$root$1
	case $1 in /tmp/*) at=$tmp${1#/tmp} ;; esac
	mkdir -p "$at" 2>/dev/null || true
	"$mount" --bind "$tmp/scratch$1" "$at"
	writable="$writable$root$1 "
	scratch=$((scratch - 1))
	shift
done
"$mount" --rbind "$tmp" "$root/tmp"

# A read-only remount holds for one mount, not for those below it, and must
# repeat the flags that the mount has.
if [ -n "$readonly" ]; then
	while read -r _ at _ opts _; do
		at=$(printf '%b' "$at")
		case $at in "$root/proc"/* | "$root/dev"/pts) continue ;; esac
		case $writable in *" $at "*) continue ;; esac
		case ,$opts, in *,ro,*) continue ;; esac
		flags=ro
		for o in nosuid nodev noexec noatime nodiratime relatime; do
			case ,$opts, in *,$o,*) flags=$flags,$o ;; esac
		done
		"$mount" -o "remount,bind,$flags" "$at" 2>/dev/null || true
	done </proc/self/mounts
fi

[ -z "$files" ] || ulimit -n "$files"
if [ -n "$root" ]; then
	set -- "$unshare" "--root=$root" "--wd=${dir:-/}" "$@"
elif [ -n "$dir" ]; then
	cd "$dir"
fi
# run becomes the command.
run() {
	. /proc/self/fd/3
	exec "$@" 3<&- 4>&-
}
[ -n "$pids" ] || run "$@" 4>&-
# Stay as the first process: when it ends, the kernel ends all the others. What
# sh says of the command's end ("Killed") is no output of the command.
set +e
exec 4>&2 2>/dev/null
(run "$@" 2>&4)
exit $?
