/** Runs the whole stack on this machine, and walks the main job once on its chains. */

import { parseArgs } from 'node:util'
import { openHome } from './stack/home.js'
import { runStack } from './stack/run-stack.js'

const PARENT_CHECK_MS = 500

const began = Date.now()
const say = (line: string): void => {
  const seconds = ((Date.now() - began) / 1_000).toFixed(1).padStart(6)
  console.log(`${seconds} s  ${line}`)
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      once: { type: 'boolean', default: false },
      'no-demo': { type: 'boolean', default: false },
      fresh: { type: 'boolean', default: false },
    },
  })
  const stopping = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    // A further Ctrl-C changes nothing: the stack is ending in order.
    process.on(signal, () => stopping.abort(signal))
  }
  stopWithParent(stopping)
  return runStack({
    home: openHome(),
    fresh: values.fresh,
    walk: !values['no-demo'],
    stay: !values.once,
    stopping: stopping.signal,
    say,
  })
}

/** Resolves when our parent is gone, because an `npm start` that is killed cannot pass the signal on. */
function stopWithParent(stopping: AbortController): void {
  if (!process.env.npm_lifecycle_event) return
  const parent = process.ppid
  setInterval(() => {
    if (process.ppid !== parent) stopping.abort('parent')
  }, PARENT_CHECK_MS).unref()
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof Error && error.message ? error.message : error)
    process.exit(1)
  },
)
