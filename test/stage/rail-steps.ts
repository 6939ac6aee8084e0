/** Takes the steps that every rail must support: receive a deposit, pay a withdrawal, keep the books. */

import { setTimeout as sleep } from 'node:timers/promises'
import { confirmDeposit } from '../../db/deposits/confirm-deposit.js'
import { creditDeposit } from '../../db/deposits/credit-deposit.js'
import type { Deposit } from '../../wire/deposit.js'
import type { Withdrawal } from '../../wire/withdrawal.js'
import type { Stage } from './start-stage.js'
import type { Answer } from './test-api.js'

/** Issues a fresh deposit address of a user. */
export async function addressOf(stage: Stage, network: string, user: string): Promise<string> {
  const { status, json } = await stage.api.call({
    method: 'POST',
    path: '/api/v1/addresses',
    body: { user_reference: user, network, new: true },
  })
  if (status !== 201) throw new Error(JSON.stringify(json))
  return json.data.address
}

/** Returns the deposits of a transaction as the API shows them. */
export async function depositsOf(stage: Stage, txid: string): Promise<Deposit[]> {
  const { json } = await stage.api.call({ path: `/api/v1/deposits?transaction_hash=${txid}&limit=100` })
  return json.data
}

/** Waits until a transaction has one deposit, and `holds` accepts it. */
export async function untilDeposit(
  stage: Stage,
  txid: string,
  holds: (deposit: Deposit) => boolean,
): Promise<Deposit> {
  let seen: Deposit[] = []
  for (let attempt = 0; attempt < 600; attempt += 1) {
    seen = await depositsOf(stage, txid)
    const [deposit] = seen
    if (seen.length === 1 && deposit && holds(deposit)) return deposit
    await sleep(50)
  }
  throw new Error(`the deposit is ${JSON.stringify(seen)}`)
}

/** Takes the steps of a deposit's workflow until the deposit is credited. The chain must grow meanwhile. */
export async function creditDeposits(stage: Stage, txid: string): Promise<Deposit> {
  const { sql } = stage.api.database
  for (let attempt = 0; attempt < 600; attempt += 1) {
    const deposits = await depositsOf(stage, txid)
    for (const { id } of deposits) {
      await confirmDeposit(sql, stage.networks, id)
      await creditDeposit(sql, stage.networks, id)
    }
    const [deposit] = deposits
    if (deposit?.status === 'success') return deposit
    await sleep(50)
  }
  throw new Error(`${txid} was not credited`)
}

/** Waits until the stage has a cursor on every chain. */
export async function untilFollowed(stage: Stage): Promise<void> {
  const { sql } = stage.api.database
  while ((await sql`SELECT 1 FROM chain_cursors`).length < stage.networks.size) await sleep(50)
}

/** Returns the amount that a user may spend, in whole coins. */
export async function availableTo(
  stage: Stage,
  network: string,
  coin: string,
  user: string,
): Promise<string> {
  const path = `/api/v1/balances?user_reference=${user}&network=${network}&coin=${coin}`
  const { json } = await stage.api.call({ path })
  return json.data[0]?.available ?? '0'
}

/** Requests a withdrawal, approves it, and waits until the chain has confirmed it. */
export async function payOut(stage: Stage, body: Record<string, unknown>) {
  const { status, json } = await stage.create(body)
  if (status !== 201) throw new Error(JSON.stringify(json))
  await stage.approve(json.data.id)
  return stage.until(json.data.id, 'confirmed', 60)
}

/**
 * Returns the base units that the books have on a network, and those that its addresses hold on the chain.
 */
export async function onChain(stage: Stage, network: string, coin: string) {
  const { sql } = stage.api.database
  const adapter = stage.adapters.get(network)
  if (!adapter) throw new Error(`no adapter of ${network}`)
  const [row] = await sql<{ books: bigint }[]>`
    SELECT coalesce(sum(balance), 0)::numeric AS books FROM ledger_accounts
    WHERE kind = 'chain' AND network = ${network} AND coin = ${coin}`
  const addresses = await sql<{ address: string }[]>`SELECT address FROM addresses WHERE network = ${network}`
  let chain = 0n
  for (const { address } of addresses) chain += await adapter.balance(address, coin)
  return { books: row?.books ?? 0n, chain }
}

/** Requests and approves a withdrawal, and waits until a node has its transaction. @returns Its id. */
export async function untilBroadcast(stage: Stage, body: Record<string, unknown>): Promise<string> {
  const id = await stage.request(body)
  await stage.approve(id)
  await stage.until(id, 'confirming')
  return id
}

/** Requests a replacement of a withdrawal's transaction with a higher fee. */
export function speedUp(stage: Stage, id: string, body: Record<string, unknown> = {}): Promise<Answer> {
  return stage.api.call({ method: 'POST', path: `/api/v1/withdrawals/${id}/speed-up`, body })
}

/** Waits until a withdrawal has this many attempts and a node has the newest. @returns Them, newest first. */
export async function untilAttempts(
  stage: Stage,
  id: string,
  count: number,
): Promise<Withdrawal['attempts']> {
  const view = await stage.untilView(
    id,
    ({ attempts }) => attempts.length === count && attempts[0]?.state === 'broadcast',
  )
  return view.attempts
}
