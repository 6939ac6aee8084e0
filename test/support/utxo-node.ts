/** Starts a node of the Bitcoin family in its own directory, with a faucet that has mature coinbases. */

import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BitcoinOptions } from '../../local/parts/bitcoin.js'
import {
  type BitcoinFaucet,
  createBitcoinFaucet,
  faucetKey,
  REGTEST,
} from '../../local/parts/bitcoin-faucet.js'
import { freePort } from '../../local/parts/free-port.js'

interface Node {
  call(method: string, ...params: unknown[]): Promise<unknown>
  mine(blocks: number): Promise<string[]>
  stop(): Promise<void>
}

export interface Funded {
  readonly faucet: BitcoinFaucet
  /** Pays `amount` base units from the faucet into the mempool, and mines nothing. @returns The txid. */
  fund(address: string, amount: bigint): Promise<string>
}

/** Starts the node and matures `mature` coinbases of 50 coins for the faucet. */
export async function testUtxoNode<N extends Node>(
  name: string,
  start: (options: BitcoinOptions) => Promise<N>,
  { mature = 20, network = REGTEST }: { readonly mature?: number; readonly network?: typeof REGTEST } = {},
): Promise<N & Funded> {
  const directory = mkdtempSync(join(tmpdir(), `keyturn-${name}-`))
  const key = faucetKey(randomBytes(32), network)
  const node = await start({
    port: await freePort(),
    dataDirectory: join(directory, 'data'),
    logFile: join(directory, `${name}.log`),
    password: randomBytes(16).toString('hex'),
    miningAddress: key.address,
  })
  await node.mine(100 + mature)
  const faucet = createBitcoinFaucet(node, key)
  return {
    ...node,
    faucet,
    fund: (address, amount) => faucet.pay([{ address, amount }]),
    async stop() {
      await node.stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
