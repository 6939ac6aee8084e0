/** Fills the merchant's own wallets once, so that it can pay withdrawals and fees from the start. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from '../../client/create-client.js'
import type { Wallet } from '../../client/types.js'
import { parseAmount } from '../../domain/money.js'
import { jsonRpc } from '../parts/json-rpc.js'
import { evmClients, USDT_ABI } from '../parts/usdt.js'
import { heldSender } from './held-sender.js'
import type { Home } from './home.js'
import type { BitcoinFacts, EvmFacts } from './start-chains.js'
import { type StackState, saveState } from './state.js'

/** Amounts in whole coins, of the chain's own coin and of its token (6 decimals). */
const HOT_NATIVE = '100'
const HOT_TOKEN = '100000'
const GAS_NATIVE = '10'
/** Amounts for the held sender, enough for many held deposits. */
const HELD_NATIVE = '100'
const HELD_TOKEN = '10000'
/**
 * Outputs to the master wallet, in whole coins. Several outputs allow several withdrawals at the same time.
 */
const MASTER_OUTPUTS = Array.from({ length: 10 }, () => '1')

/** Blocks that confirm the first deposits, more than any local network asks for. */
const CONFIRMING_BLOCKS = 4
const CREDIT_TIMEOUT_MS = 240_000

/** The chains that run, by the name of their network. */
export interface Chains {
  readonly evm: Readonly<Record<string, EvmFacts | null>>
  readonly utxo: Readonly<Record<string, Pick<BitcoinFacts<string>, 'faucet' | 'mine'> | null>>
}

/**
 * Pays from the faucets, mines the confirmations at once, and waits until the platform has credited
 * everything to the merchant's own account.
 */
export async function fundWallets(
  home: Home,
  state: StackState,
  client: Client,
  chains: Chains,
): Promise<void> {
  const list: Wallet[] = []
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const page = await client.wallets.list({ limit: 100, ...(cursor === undefined ? {} : { cursor }) })
    list.push(...page.items)
    cursor = page.pagination.next_cursor
  }
  const address = (network: string, kind: string): string => {
    // The oldest is the first hot wallet: further hot wallets are newer.
    const found = list.findLast((wallet) => wallet.network === network && wallet.kind === kind)
    if (!found) throw new Error(`The signer reported no ${kind} wallet on ${network}`)
    return found.address
  }
  const sent: string[] = []
  async function once(name: string, pay: () => Promise<string[]>): Promise<void> {
    if (state.funded.includes(name)) return
    sent.push(...(await pay()))
    state.funded.push(name)
    saveState(home, state)
  }
  for (const [network, evm] of Object.entries(chains.evm)) {
    if (!evm) continue
    await once(network, async () => {
      const { wallet } = evmClients(evm.rpc, evm.chainId, evm.faucetPrivateKey)
      const [hot, gas] = [address(network, 'hot'), address(network, 'gas')] as `0x${string}`[]
      if (!hot || !gas) throw new Error('unreachable')
      const transactions = [
        await wallet.sendTransaction({ to: hot, value: parseAmount(HOT_NATIVE, 18) }),
        await wallet.writeContract({
          address: evm.token,
          abi: USDT_ABI,
          functionName: 'transfer',
          args: [hot, parseAmount(HOT_TOKEN, 6)],
        }),
        await wallet.sendTransaction({ to: gas, value: parseAmount(GAS_NATIVE, 18) }),
      ]
      await jsonRpc(evm.rpc, 'anvil_mine', [`0x${CONFIRMING_BLOCKS.toString(16)}`])
      return transactions
    })
  }
  for (const [network, utxo] of Object.entries(chains.utxo)) {
    if (!utxo) continue
    await once(network, async () => {
      const master = address(network, 'master')
      const payments = MASTER_OUTPUTS.map((amount) => ({ address: master, amount: parseAmount(amount, 8) }))
      const transaction = await utxo.faucet.pay(payments)
      await utxo.mine(CONFIRMING_BLOCKS)
      return [transaction]
    })
  }
  const { ethereum } = chains.evm
  if (ethereum) await once('held_sender', () => fundHeldSender(state, ethereum))
  const deadline = Date.now() + CREDIT_TIMEOUT_MS
  for (const txid of sent) {
    for (;;) {
      const { items: found } = await client.deposits.list({ transaction_hash: txid, limit: 100 })
      if (found.length > 0 && found.every((deposit) => deposit.status === 'success')) break
      if (Date.now() > deadline)
        throw new Error(
          `The wallets' first deposit ${txid} was not credited in time: ${found.map((each) => each.status).join(', ') || 'not seen'}`,
        )
      await sleep(100)
    }
  }
}

/** Funds the held sender. Returns no transaction to wait for, because the address is not the merchant's. */
async function fundHeldSender(state: StackState, evm: EvmFacts): Promise<string[]> {
  const { wallet } = evmClients(evm.rpc, evm.chainId, evm.faucetPrivateKey)
  const { address } = heldSender(state)
  await wallet.sendTransaction({ to: address, value: parseAmount(HELD_NATIVE, 18) })
  await wallet.writeContract({
    address: evm.token,
    abi: USDT_ABI,
    functionName: 'transfer',
    args: [address, parseAmount(HELD_TOKEN, 6)],
  })
  return []
}
