/** Starts a Bitcoin node on regtest that belongs to one test file. */

import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Bitcoin, startBitcoin } from '../../local/parts/bitcoin.js'
import { type BitcoinFaucet, createBitcoinFaucet, faucetKey } from '../../local/parts/bitcoin-faucet.js'
import { freePort } from '../../local/parts/free-port.js'

export interface TestBitcoin extends Bitcoin {
  readonly faucet: BitcoinFaucet
  /** Pays `amount` satoshis from the faucet into the mempool, and mines nothing. @returns The txid. */
  fund(address: string, amount: bigint): Promise<string>
}

/** Starts a node and matures `mature` coinbases of 50 BTC for the faucet. */
export async function testBtcd(options: { readonly mature?: number } = {}): Promise<TestBitcoin> {
  const directory = mkdtempSync(join(tmpdir(), 'keyturn-btcd-'))
  const key = faucetKey(randomBytes(32))
  const node = await startBitcoin(
    {
      port: await freePort(),
      dataDirectory: join(directory, 'data'),
      logFile: join(directory, 'btcd.log'),
      password: randomBytes(16).toString('hex'),
      miningAddress: key.address,
    },
    console.log,
  )
  await node.mine(100 + (options.mature ?? 20))
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
