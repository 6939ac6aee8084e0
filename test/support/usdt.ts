/** Deploys USDT, whose `transfer` returns no value, on a test's chain. */

import type { Address } from 'viem'
import { deployUsdt, evmClients, USDT_ABI } from '../../local/parts/usdt.js'
import type { TestAnvil } from './anvil.js'

export interface TestUsdt {
  readonly address: Address
  /**
   * Mints base units (6 decimals). The block is mined when this returns, but on a chain with manual mining the
   * test must mine it. @returns Transaction hash.
   */
  mint(to: Address, amount: bigint): Promise<`0x${string}`>
  /** Transfers base units from the faucet, mined like `mint`. @returns Transaction hash. */
  transfer(to: Address, amount: bigint): Promise<`0x${string}`>
  balanceOf(account: Address): Promise<bigint>
}

/**
 * Deploys the token. The faucet owns it and holds a large supply. Mines a block when the chain does not mine
 * by itself.
 */
export async function testUsdt(anvil: TestAnvil): Promise<TestUsdt> {
  const deployed = deployUsdt(anvil.rpc, anvil.chainId, anvil.faucetPrivateKey)
  let mined = false
  const done = () => {
    mined = true
  }
  deployed.then(done, done)
  if (!(await anvil.call('anvil_getAutomine'))) {
    // A chain that mines at intervals may mine the transaction before a check sees it pending.
    while (!mined && (await anvil.call('eth_getBlockTransactionCountByNumber', 'pending')) === '0x0')
      await new Promise((resolve) => setTimeout(resolve, 20))
    if (!mined) await anvil.mine()
  }
  const address = await deployed
  const { wallet, reader } = evmClients(anvil.rpc, anvil.chainId, anvil.faucetPrivateKey)
  const write = async (functionName: 'mint' | 'transfer', to: Address, amount: bigint) => {
    const hash = await wallet.writeContract({ address, abi: USDT_ABI, functionName, args: [to, amount] })
    // Anvil answers with the hash and mines the block a moment later.
    if (await anvil.call('anvil_getAutomine'))
      await reader.waitForTransactionReceipt({ hash, pollingInterval: 20 })
    return hash
  }
  return {
    address,
    mint: (to, amount) => write('mint', to, amount),
    transfer: (to, amount) => write('transfer', to, amount),
    balanceOf: (account) =>
      reader.readContract({ address, abi: USDT_ABI, functionName: 'balanceOf', args: [account] }),
  }
}
