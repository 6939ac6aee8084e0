/** Finds and starts a Bitcoin node on regtest as a process of its own: Bitcoin Core, or btcd without it. */

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { findExecutable } from './find-executable.js'
import { findOnPath } from './find-on-path.js'
import { jsonRpc } from './json-rpc.js'
import type { Say } from './say.js'
import { type RunningProcess, startProcess, untilReady } from './start-process.js'

export type BitcoinFlavour = 'bitcoind' | 'btcd'

export interface BitcoinOptions {
  /** Port of the JSON-RPC server. */
  readonly port: number
  readonly dataDirectory: string
  readonly logFile: string
  readonly password: string
  /** Address to which `mine` pays the coinbase. */
  readonly miningAddress: string
}

/** A node of the Bitcoin family with its JSON-RPC. */
export interface Bitcoin<Flavour extends string = BitcoinFlavour> extends RunningProcess {
  /** URL with `user:password@`. */
  readonly rpc: string
  readonly flavour: Flavour
  /** Calls a method of the node. */
  call(method: string, ...params: unknown[]): Promise<unknown>
  /** Mines blocks to the mining address. @returns Their hashes. */
  mine(blocks?: number): Promise<string[]>
}

/**
 * Finds the executable: `KEYTURN_BITCOIND_BIN`, `KEYTURN_BTCD_BIN`, bitcoind on PATH, then btcd from any
 * source.
 */
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
      build: { goPackage: 'github.com/btcsuite/btcd', version: '0.26.2', takes: 'under a minute' },
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
    // btcd ends in order at an interrupt only.
    stopSignal: 'SIGINT',
  })
  return openNode(running, flavour, options)
}

/** Returns the node of a process that was just started, as soon as it answers. */
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
    // btcd needs these indices to know what an address holds and whether it was used. Bitcoin Core does not.
    '--addrindex',
    '--nolisten',
    '--nodnsseed',
    '--configfile=/dev/null',
    '--debuglevel=warn',
    // Tests send many requests over many connections.
    '--rpcmaxclients=200',
    // Otherwise transactions without a priority, which all new ones are, count as free.
    '--norelaypriority',
    '--rpcuser=keyturn',
    `--rpcpass=${options.password}`,
    `--rpclisten=127.0.0.1:${options.port}`,
    `--datadir=${join(options.dataDirectory, 'data')}`,
    `--logdir=${join(options.dataDirectory, 'log')}`,
    `--miningaddr=${options.miningAddress}`,
  ]
}

/** Returns the arguments of Bitcoin Core and of nodes that derive from it. */
export function coreArguments(options: BitcoinOptions): string[] {
  return [
    '-regtest',
    '-server',
    '-txindex',
    '-listen=0',
    '-disablewallet',
    '-fallbackfee=0.00001',
    // A scan of the whole chain beside a platform that catches up soon takes the usual 16.
    '-rpcworkqueue=256',
    '-rpcuser=keyturn',
    `-rpcpassword=${options.password}`,
    '-rpcbind=127.0.0.1',
    '-rpcallowip=127.0.0.1',
    `-rpcport=${options.port}`,
    `-datadir=${options.dataDirectory}`,
  ]
}
