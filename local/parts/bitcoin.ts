/** A Bitcoin node on regtest, Bitcoin Core where there is one, else btcd, as a process of its own. */

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { findExecutable, findOnPath, type Say } from './find-executable.js'
import { jsonRpc } from './json-rpc.js'
import { type RunningProcess, startProcess, untilReady } from './start-process.js'

export type BitcoinFlavour = 'bitcoind' | 'btcd'

export interface BitcoinOptions {
  /** Of the JSON-RPC server. */
  readonly port: number
  readonly dataDirectory: string
  readonly logFile: string
  readonly password: string
  /** Where `mine` sends the coinbase. */
  readonly miningAddress: string
}

/** A node of the Bitcoin family with its JSON-RPC. */
export interface Bitcoin<Flavour extends string = BitcoinFlavour> extends RunningProcess {
  /** With `user:password@`. */
  readonly rpc: string
  readonly flavour: Flavour
  /** Calls the node. */
  call(method: string, ...params: unknown[]): Promise<unknown>
  /** Mines blocks to the mining address. @returns Their hashes. */
  mine(blocks?: number): Promise<string[]>
}

/** The executable: `KEYTURN_BITCOIND_BIN`, `KEYTURN_BTCD_BIN`, bitcoind on PATH, then btcd wherever it can be had. */
export async function findBitcoin(
  say: Say,
): Promise<{ readonly command: string; readonly flavour: BitcoinFlavour }> {
  const bitcoind =
    process.env.KEYTURN_BITCOIND_BIN || (process.env.KEYTURN_BTCD_BIN ? null : findOnPath('bitcoind'))
  if (bitcoind) return { command: bitcoind, flavour: 'bitcoind' }
  const command = await findExecutable(
    {
      title: 'Bitcoin node (btcd)',
      variable: 'KEYTURN_BTCD_BIN',
      executable: 'btcd',
      goPackage: 'github.com/btcsuite/btcd@v0.26.2',
      buildTakes: 'under a minute',
    },
    say,
  )
  return { command, flavour: 'btcd' }
}

/** Starts a node on 127.0.0.1 without peers and waits until it answers. */
export async function startBitcoin(options: BitcoinOptions, say: Say = () => {}): Promise<Bitcoin> {
  const { command, flavour } = await findBitcoin(say)
  mkdirSync(options.dataDirectory, { recursive: true, mode: 0o700 })
  const running = await startProcess({
    name: flavour,
    command,
    args: flavour === 'btcd' ? btcdArguments(options) : coreArguments(options),
    logFile: options.logFile,
    // btcd listens to an interrupt only.
    stopSignal: 'SIGINT',
  })
  return openNode(running, flavour, options)
}

/** The node behind a process that was just started, once it answers. */
export async function openNode<Flavour extends string>(
  running: RunningProcess,
  flavour: Flavour,
  options: BitcoinOptions,
): Promise<Bitcoin<Flavour>> {
  const rpc = `http://keyturn:${encodeURIComponent(options.password)}@127.0.0.1:${options.port}`
  const call = (method: string, ...params: unknown[]) => jsonRpc(rpc, method, params)
  await untilReady(running, options.logFile, () => call('getblockcount'))
  return {
    ...running,
    rpc,
    flavour,
    call,
    async mine(blocks = 1) {
      const hashes =
        flavour === 'btcd'
          ? await call('generate', blocks)
          : await call('generatetoaddress', blocks, options.miningAddress)
      return z.array(z.string()).parse(hashes)
    },
  }
}

function btcdArguments(options: BitcoinOptions): string[] {
  return [
    '--regtest',
    '--notls',
    '--txindex',
    // What an address holds and whether it was used: Bitcoin Core knows without.
    '--addrindex',
    '--nolisten',
    '--nodnsseed',
    '--configfile=/dev/null',
    '--debuglevel=warn',
    // Tests ask quickly, over many connections.
    '--rpcmaxclients=200',
    // Without it, transactions without a priority (all new ones) count as free.
    '--norelaypriority',
    '--rpcuser=keyturn',
    `--rpcpass=${options.password}`,
    `--rpclisten=127.0.0.1:${options.port}`,
    `--datadir=${join(options.dataDirectory, 'data')}`,
    `--logdir=${join(options.dataDirectory, 'log')}`,
    `--miningaddr=${options.miningAddress}`,
  ]
}

/** Of Bitcoin Core and what is made from it. */
export function coreArguments(options: BitcoinOptions): string[] {
  return [
    '-regtest',
    '-server',
    '-txindex',
    '-listen=0',
    '-disablewallet',
    '-fallbackfee=0.00001',
    // The usual 16 are soon taken by a scan of the whole chain beside a platform that catches up.
    '-rpcworkqueue=256',
    '-rpcuser=keyturn',
    `-rpcpassword=${options.password}`,
    '-rpcbind=127.0.0.1',
    '-rpcallowip=127.0.0.1',
    `-rpcport=${options.port}`,
    `-datadir=${options.dataDirectory}`,
  ]
}
