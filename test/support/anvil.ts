/** Starts an EVM chain that belongs to one test file. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Anvil, type AnvilOptions, FAUCET_PRIVATE_KEY, startAnvil } from '../../local/parts/anvil.js'
import { freePort } from '../../local/parts/free-port.js'
import { jsonRpc } from '../../local/parts/json-rpc.js'

export interface TestAnvil extends Anvil {
  /** Key of Anvil's account 0, which holds 10,000 ETH. */
  readonly faucetPrivateKey: `0x${string}`
  /** Calls the node, e.g. `anvil_mine`, `anvil_reorg`, `evm_setAutomine`. */
  call(method: string, ...params: unknown[]): Promise<unknown>
  /** Mines blocks. */
  mine(blocks?: number): Promise<void>
}

/** Starts the chain. By default it mines a block for each transaction. */
export async function testAnvil(options: Pick<AnvilOptions, 'mining' | 'chainId'> = {}): Promise<TestAnvil> {
  const directory = mkdtempSync(join(tmpdir(), 'keyturn-anvil-'))
  const anvil = await startAnvil({
    ...options,
    port: await freePort(),
    logFile: join(directory, 'anvil.log'),
  })
  const call = (method: string, ...params: unknown[]) => jsonRpc(anvil.rpc, method, params)
  return {
    ...anvil,
    faucetPrivateKey: FAUCET_PRIVATE_KEY,
    call,
    async mine(blocks = 1) {
      await call('anvil_mine', `0x${blocks.toString(16)}`)
    },
    async stop() {
      await anvil.stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
