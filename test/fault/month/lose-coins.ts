/** Plants what no user announces: coins that leave or arrive, and of which the platform or its owner does not know. */

import { toHex } from 'viem'
import { z } from 'zod'
import { formatAmount, parseAmount } from '../../../domain/money.js'
import { jsonRpc } from '../../../local/parts/json-rpc.js'
import { freshRecipient } from '../coins.js'
import { etherOf } from '../scan-ethereum.js'
import type { Shop } from './open-shop.js'
import { until } from './until.js'

/** Ether that a thief takes, besides the fee. */
const STOLEN = parseAmount('0.02', 18)
/** Ether that an address loses without a transaction, as after a change of the chain's rules. */
export const FALLEN = '0.01'
/** Bitcoin that comes to an address that no user has. */
export const NOBODYS = '0.003'
/** Bitcoin that comes to an address of a user while the watcher does not see it. */
export const MISSED = '0.004'

/** Blocks after which an earlier one is final. */
const FINAL_BLOCKS = 5

const quantity = z.string().transform(BigInt)
const receipt = z.object({ gasUsed: quantity, effectiveGasPrice: quantity })

/** An address of the merchant. */
export interface OwnAddress {
  readonly id: string
  readonly address: string
}

export interface Losses {
  /** Hash of the thief's transaction. */
  readonly theft: string
  /** What it took from the address, with its fee, in base units. */
  readonly stolen: bigint
  /** Id of the deposit that belongs to no user. */
  readonly nobodys: string
  /** Address whose deposit the watcher has missed. */
  readonly missed: OwnAddress
  /** Address whose balance fell. */
  readonly fallen: OwnAddress
  /** Its ether before and after, in whole coins. */
  readonly balances: { readonly before: string; readonly after: string }
}

/** Takes coins and sends others. */
export async function loseCoins(shop: Shop): Promise<Losses> {
  const [theft, nobodys, missed, fall] = await Promise.all([
    steal(shop),
    payNobody(shop),
    payUnseen(shop),
    loseEther(shop, 'held-2'),
  ])
  return { ...theft, nobodys, missed, ...fall }
}

/** Returns the address of a user. */
export async function addressOf({ client }: Shop, user: string, network: string): Promise<OwnAddress> {
  return client.addresses.create({ user_reference: user, network })
}

/** Sends ether from the address of a user, as who has its key does. */
async function steal(shop: Shop): Promise<Pick<Losses, 'theft' | 'stolen'>> {
  const { rpc } = shop.facts.networks.ethereum
  const { address: from } = await addressOf(shop, 'held-1', 'ethereum')
  await jsonRpc(rpc, 'anvil_impersonateAccount', [from])
  const theft = z
    .string()
    .parse(
      await jsonRpc(rpc, 'eth_sendTransaction', [{ from, to: freshRecipient('eth'), value: toHex(STOLEN) }]),
    )
  await jsonRpc(rpc, 'anvil_stopImpersonatingAccount', [from])
  await until('The theft is not noticed', async () => {
    const { items } = await shop.client.exceptions.list({ kind: 'foreign_spend' })
    return items.length > 0 ? true : null
  })
  const { gasUsed, effectiveGasPrice } = receipt.parse(
    await jsonRpc(rpc, 'eth_getTransactionReceipt', [theft]),
  )
  return { theft, stolen: STOLEN + gasUsed * effectiveGasPrice }
}

/** Pays to an address that was left out when the database was started again. @returns Id of the deposit. */
async function payNobody({ sql, facts, bitcoin, client }: Shop): Promise<string> {
  const skipped = await until('Every address belongs to a user', async () => {
    const [found] = await sql<{ address: string }[]>`
      SELECT address FROM addresses
      WHERE merchant_id = ${facts.merchant.id} AND network = 'bitcoin' AND kind = 'deposit' AND user_reference IS NULL LIMIT 1`
    return found ?? null
  })
  await bitcoin.pay([{ address: skipped.address, amount: parseAmount(NOBODYS, 8) }])
  return until('The deposit without a user is not credited', async () => {
    const { items } = await client.deposits.list({ address: skipped.address })
    return items.find(({ status }) => status === 'success')?.id ?? null
  })
}

/** Pays to an address while the watcher does not find it, and lets the watcher pass the block. */
async function payUnseen(shop: Shop): Promise<OwnAddress> {
  const { sql, bitcoin, bitcoinRpc } = shop
  const missed = await addressOf(shop, 'missed-customer', 'bitcoin')
  await sql`UPDATE addresses SET match_key = match_key + 1 WHERE id = ${missed.id}`
  const txid = await bitcoin.pay([{ address: missed.address, amount: parseAmount(MISSED, 8) }])
  const confirmed = z.object({ confirmations: z.int().min(1) })
  await until('The missed deposit is in no block', async () =>
    confirmed.safeParse(await jsonRpc(bitcoinRpc, 'getrawtransaction', [txid, 1])).success ? true : null,
  )
  const height = z.int().parse(await jsonRpc(bitcoinRpc, 'getblockcount', []))
  await untilScanned(shop, 'bitcoin', height)
  await sql`UPDATE addresses SET match_key = match_key - 1 WHERE id = ${missed.id}`
  return missed
}

/** Makes all that is booked on Ethereum count at blocks that are final. */
export async function mineEthereum(shop: Shop): Promise<void> {
  const { rpc } = shop.facts.networks.ethereum
  await jsonRpc(rpc, 'anvil_mine', [toHex(FINAL_BLOCKS)])
  await untilScanned(shop, 'ethereum', Number(await jsonRpc(rpc, 'eth_blockNumber', [])))
}

async function untilScanned({ sql }: Shop, network: string, height: number): Promise<void> {
  await until(`Block ${height} is not scanned`, async () => {
    const [cursor] = await sql<{ height: bigint }[]>`
      SELECT height FROM chain_cursors WHERE network = ${network}`
    return cursor && cursor.height >= BigInt(height) ? true : null
  })
}

/** Lowers the balance of a user's address. A run that compares a later block finds it. */
async function loseEther(shop: Shop, user: string): Promise<Pick<Losses, 'fallen' | 'balances'>> {
  const { rpc } = shop.facts.networks.ethereum
  const fallen = await addressOf(shop, user, 'ethereum')
  const head = Number(await jsonRpc(rpc, 'eth_blockNumber', []))
  const balance = await etherOf(rpc, fallen.address, head)
  const after = balance - parseAmount(FALLEN, 18)
  await jsonRpc(rpc, 'anvil_setBalance', [fallen.address, toHex(after)])
  const shown = (amount: bigint) => formatAmount(amount, 18)
  return { fallen, balances: { before: shown(balance), after: shown(after) } }
}
