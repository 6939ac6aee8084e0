/** Finds and starts Anvil, a local EVM chain, as a process of its own. */

import { createRequire } from 'node:module'
import { findExecutable } from './find-executable.js'
import { isExecutable } from './find-on-path.js'
import { jsonRpc } from './json-rpc.js'
import type { Say } from './say.js'
import { type RunningProcess, startProcess, untilReady } from './start-process.js'

/**
 * Private key of the first account of Anvil's published test mnemonic. It is worthless except on local
 * chains.
 */
export const FAUCET_PRIVATE_KEY = '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80'

export interface AnvilOptions {
  readonly port: number
  readonly logFile: string
  /**
   * When blocks are mined: `automine` at each transaction, `manual` by `anvil_mine`, a number every so many
   * seconds.
   */
  readonly mining?: 'automine' | 'manual' | number
  /** File with the chain to start from (`anvil_dumpState`, unzipped). */
  readonly loadState?: string
  /** Chain id. Default: 31337. */
  readonly chainId?: number
}

export interface Anvil extends RunningProcess {
  readonly rpc: string
  readonly chainId: number
}

/**
 * Finds the executable: `KEYTURN_ANVIL_BIN`, the npm package that our lock file pins (not its wrapper), PATH,
 * our cache.
 */
export async function findAnvil(say: Say): Promise<string> {
  const packaged = packagedAnvil()
  if (packaged && !process.env.KEYTURN_ANVIL_BIN) return packaged
  return findExecutable({ title: 'Anvil', variable: 'KEYTURN_ANVIL_BIN', executable: 'anvil' }, say)
}

/** Starts Anvil on 127.0.0.1 and waits until it answers. */
export async function startAnvil(options: AnvilOptions, say: Say = () => {}): Promise<Anvil> {
  const command = await findAnvil(say)
  const chainId = options.chainId ?? 31_337
  const mining = options.mining ?? 'automine'
  const args = ['--host', '127.0.0.1', '--port', String(options.port), '--chain-id', String(chainId)]
  if (mining === 'manual') args.push('--no-mining')
  if (typeof mining === 'number') args.push('--block-time', String(mining))
  if (options.loadState !== undefined) args.push('--load-state', options.loadState)
  const running = await startProcess({ name: 'Anvil', command, args, logFile: options.logFile })
  const rpc = `http://127.0.0.1:${options.port}`
  await untilReady(running, options.logFile, () => jsonRpc(rpc, 'eth_chainId', []))
  return { ...running, rpc, chainId }
}

function packagedAnvil(): string | null {
  const require = createRequire(import.meta.url)
  const os = process.platform === 'win32' ? 'win32' : process.platform
  const cpu = process.arch === 'x64' ? 'amd64' : process.arch
  try {
    const path = createRequire(require.resolve('@foundry-rs/anvil/package.json')).resolve(
      `@foundry-rs/anvil-${os}-${cpu}/bin/anvil`,
    )
    return isExecutable(path) ? path : null
  } catch {
    return null
  }
}
