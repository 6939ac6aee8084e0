/** Ends our child processes when we die without a chance to end them: kill -9, a crash, a closed terminal. */

import { type ChildProcess, spawn } from 'node:child_process'

/**
 * Reads "+pid" and "-pid" lines until its input closes, which happens whenever we die. Then it ends the
 * processes that are left, in order first. Each child leads a process group of its own, so the group ends
 * with it.
 */
const SCRIPT = `
left=" "
while read -r line; do
  pid="\${line#?}"
  case "$line" in
    +*) left="$left$pid " ;;
    -*) left=$(printf '%s' "$left" | sed "s/ $pid / /") ;;
  esac
done
[ "$left" = " " ] && exit 0
for pid in $left; do kill -s INT -- "-$pid" 2>/dev/null; done
for wait in 1 2 3 4 5 6 7 8 9 10; do
  alive=
  for pid in $left; do kill -s 0 -- "-$pid" 2>/dev/null && alive=1; done
  [ -z "$alive" ] && exit 0
  sleep 0.5
done
for pid in $left; do kill -s KILL -- "-$pid" 2>/dev/null; done
`

let shell: ChildProcess | undefined

/** Makes `pid`, the leader of a process group, end when this process ends. */
export function watch(pid: number): void {
  if (!shell) {
    shell = spawn('sh', ['-c', SCRIPT], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
    shell.on('error', () => {})
    shell.stdin?.on('error', () => {})
    shell.unref()
    // The pipe must not keep this process alive. It closes when this process ends, which is the signal.
    const stdin = shell.stdin as (NodeJS.WritableStream & { unref?: () => void }) | null
    stdin?.unref?.()
  }
  shell.stdin?.write(`+${pid}\n`)
}

/** Forgets `pid`, which has ended. Another process may soon have its number. */
export function unwatch(pid: number): void {
  shell?.stdin?.write(`-${pid}\n`)
}
