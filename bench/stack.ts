/** Runs the whole local stack as `npm start` does, for benches that need all of it. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { startProcess, untilReady } from '../local/parts/start-process.js'
import { type StackFile, stackFileSchema } from '../local/stack/stack-file.js'
import type { BenchContext } from './context.js'

const START_MS = 240_000

/** Starts Ethereum, Bitcoin and the platform without a walk. The stack ends with the bench. */
export async function startStack(context: BenchContext): Promise<StackFile> {
  const home = join(context.directory, 'stack')
  const logFile = join(context.directory, 'stack.log')
  const running = await startProcess({
    name: 'The local stack',
    command: process.execPath,
    args: ['--import', 'tsx', 'local/start.ts', '--no-demo'],
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    env: {
      KEYTURN_HOME: home,
      KEYTURN_POSTGRES_URL: context.postgresUrl,
      LITECOIN_ENABLED: 'false',
      POLYGON_ENABLED: 'false',
    },
    logFile,
    // The stack ends its own parts in order.
    stopSignal: 'SIGINT',
    stopGrace: 60_000,
  })
  context.onEnd(() => running.stop())
  let stack: StackFile | undefined
  await untilReady(
    running,
    logFile,
    async () => {
      await sleep(250)
      stack = stackFileSchema.parse(JSON.parse(await readFile(join(home, 'stack.json'), 'utf8')))
      if (!stack.ready) throw new Error('It is not ready yet')
    },
    START_MS,
  )
  if (!stack) throw new Error('The local stack did not say where it is')
  return stack
}
