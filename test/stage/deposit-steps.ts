/**
 * Makes merchants with addresses, and takes the steps of the watcher and of deposit workflows, without
 * Temporal.
 */

import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { advanceChain } from '../../activities/chain/advance-chain.js'
import { lookAtMempool } from '../../activities/chain/look-at-mempool.js'
import type { ChainAdapter } from '../../chains/adapter.js'
import { type AddressFilter, createAddressFilter } from '../../db/chain/address-filter.js'
import type { Sql } from '../../db/connect.js'
import { confirmDeposit } from '../../db/deposits/confirm-deposit.js'
import { creditDeposit } from '../../db/deposits/credit-deposit.js'
import { newId } from '../../db/new-id.js'
import { matchKey } from '../../domain/chain/match-key.js'
import type { Network, Networks } from '../../domain/chain/network.js'
import { DEFAULT_NETWORKS_FILE, parseNetworks } from '../../networks/load-networks.js'

/** Networks that ship with the product. Deposits need 3 blocks on Bitcoin and 4 on Ethereum. */
export const networks: Networks = parseNetworks(readFileSync(DEFAULT_NETWORKS_FILE, 'utf8'), {
  ETHEREUM_CONFIRMATIONS: '4',
})

export const bitcoin = networks.get('bitcoin') as Network
export const ethereum = networks.get('ethereum') as Network

export interface TestAddress {
  readonly id: string
  readonly address: string
  readonly payee: string
  readonly user: string | null
}

export interface TestMerchant {
  readonly id: string
  /** Issues an address of a user. With `user` null it makes a wallet of the merchant itself. */
  address(network: string, user: string | null, kind?: string): Promise<TestAddress>
}

/** Creates a merchant with a signer. Each network gets a key account with its first address. */
export async function merchantWith(sql: Sql): Promise<TestMerchant> {
  const id = newId('mer')
  const signer = newId('sig')
  await sql`INSERT INTO merchants (id, name) VALUES (${id}, 'Shop')`
  await sql`
    INSERT INTO signers (id, merchant_id, name, version, identity_public_key, master_fingerprint, journal_head)
    VALUES (${signer}, ${id}, 'signer', '1', ${randomBytes(32)}, '00000000', ${'0'.repeat(64)})`
  const accounts = new Map<string, Promise<string>>()
  let index = 0
  const openAccount = async (network: string) => {
    const account = newId('acc')
    await sql`
      INSERT INTO key_accounts (id, merchant_id, signer_id, network, role, path, xpub)
      VALUES (${account}, ${id}, ${signer}, ${network}, 'deposit', 'm/84''/1''/0''', ${randomBytes(40).toString('hex')})`
    return account
  }
  return {
    id,
    async address(network, user, kind = user === null ? 'master' : 'deposit') {
      const known = accounts.get(network) ?? openAccount(network)
      accounts.set(network, known)
      const account = await known
      const payee = randomBytes(20).toString('hex')
      const row = { id: newId('addr'), address: `address-${payee}`, payee, user }
      await sql`
        INSERT INTO addresses (id, merchant_id, network, kind, user_reference, label, address, payee, match_key,
                               key_account_id, branch, index, derivation_path)
        VALUES (${row.id}, ${id}, ${network}, ${kind}, ${user}, ${`label of ${user}`}, ${row.address},
                ${Buffer.from(payee, 'hex')}, ${matchKey(payee)}, ${account}, 0, ${index}, ${`m/0/${index++}`})`
      return row
    },
  }
}

/** Filters of each database by network, which stay from one scan to the next as a watcher's does. */
const filters = new WeakMap<Sql, Map<string, AddressFilter>>()

/** Scans the chain up to its head, then reads the mempool as if for the first time. */
export async function scan(sql: Sql, adapter: ChainAdapter): Promise<void> {
  const byNetwork = filters.get(sql) ?? new Map<string, AddressFilter>()
  filters.set(sql, byNetwork)
  const { name } = adapter.network
  const filter = byNetwork.get(name) ?? createAddressFilter(name)
  byNetwork.set(name, filter)
  await advanceChain(sql, adapter, { filter })
  await lookAtMempool(sql, adapter, new Set(), undefined, filter)
}

/** Confirms and credits every open deposit that can be, all at once. @param on - Default: those that ship. */
export async function settle(sql: Sql, on: Networks = networks): Promise<void> {
  const open = await sql<{ id: string }[]>`
    SELECT id FROM deposits WHERE status IN ('unconfirmed', 'confirmed', 'screening_requested') ORDER BY id`
  await Promise.all(
    open.map(async ({ id }) => {
      const outcome = await confirmDeposit(sql, on, id)
      if (outcome.kind === 'confirmed') await creditDeposit(sql, on, id)
    }),
  )
}

/** Returns the balance of a ledger account in base units. Liabilities are positive. */
export async function ledger(sql: Sql, kind: string, owner: string, coin = 'btc'): Promise<bigint> {
  const [row] = await sql<{ balance: bigint }[]>`
    SELECT coalesce(sum(balance), 0) AS balance FROM ledger_accounts WHERE kind = ${kind} AND owner = ${owner} AND coin = ${coin}`
  const balance = row?.balance ?? 0n
  return kind === 'chain' ? balance : -balance
}

/** Returns the statuses in a deposit's events, oldest first. */
export async function eventStatuses(sql: Sql, txid: string): Promise<string[]> {
  const rows = await sql<{ status: string }[]>`
    SELECT data ->> 'status' AS status FROM events
    WHERE type = 'deposit.status_changed' AND data ->> 'transaction_hash' = ${txid} ORDER BY position`
  return rows.map((row) => row.status)
}
