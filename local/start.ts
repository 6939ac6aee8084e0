/** `npm start`: the whole stack on this machine, then the main job once on its chains. */

import { parseArgs } from 'node:util'
import { openHome } from './stack/home.js'
import { runStack } from './stack/run-stack.js'

const HELP = `npm start [-- options]

  Starts PostgreSQL, Temporal with its web UI, local chains of Ethereum, Polygon, Bitcoin and Litecoin, the API, the workers, a
  customer's signer and a sample merchant; walks the main job once on those chains; stays up until Ctrl-C.

  --once      exit after the walk: 0 when every step succeeded, 1 otherwise
  --no-demo   start only, without the walk
  --fresh     throw away what an earlier run kept
  --help      this text

  KEYTURN_HOME        where everything is kept (default .keyturn); facts about the running stack are in stack.json there
  KEYTURN_PORT_BASE   every port from this one up (default: 4000, 4100, 5433, 7233, 7234, 8233, 8545, 8546, 18443,
                      19443)
  KEYTURN_LOCAL_NETWORKS  which chains besides Ethereum (default bitcoin,litecoin,polygon)
  KEYTURN_CACHE       where downloaded and built parts are kept (default ~/.cache/keyturn)
  Everything else: docs/configuration.md
`

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
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(HELP)
    return 0
  }
  const stopping = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    // Again and again is once: ending in order is under way.
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

/** `npm start` that is killed cannot pass the signal on; we notice that it is gone. */
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
