/** Compares balances of accounts on an EVM chain with the books, in the native coin and in every token. */

import { type AccountsAt, openAccounts } from '../../../auditor/evm/open-accounts.js'
import { readMoves } from '../../../auditor/evm/read-moves.js'
import { type AccountAt, type AccountPage, readAccountPage } from '../../../db/auditor/account-page.js'
import { saveChainAudit } from '../../../db/auditor/chain-audit-row.js'
import { missedCause, riseCause } from '../../../db/chain/missed-cause.js'
import type { DifferenceAbout } from '../../../domain/books/difference.js'
import type { Coin, EvmNetwork } from '../../../domain/chain/network.js'
import { mapConcurrently } from '../../../domain/map-concurrently.js'
import { formatAmount } from '../../../domain/money.js'
import type { ChainAuditTask } from './audit-task.js'
import { describeInFlight } from './describe-in-flight.js'
import { locateMissed, UNKNOWN } from './locate-missed.js'

/** Accounts of a page, of one request to the node, and requests under way at a time. */
const PAGE = 400
const BATCH = 100
const CONCURRENCY = 4
/** Differences of a run whose blocks are searched for. Each costs some dozens of questions. */
const MOST_LOCATED = 100
/** Milliseconds after which progress is stored. One that dies repeats no more than that. */
const STORE_EVERY_MS = 5_000

/** Compares everything at the block of the task. @returns The number of balances that were compared. */
export async function auditAccounts(network: EvmNetwork, task: ChainAuditTask): Promise<number | 'paused'> {
  const { sql, key, merchantId, block, findings, before } = task
  const at = await openAccounts(network, block, task.signal ? { signal: task.signal } : {})
  const books = { merchantId, network: network.name, height: block.height }
  const coins = [...network.coins, ...(network.removedCoins ?? [])]
  const first = before?.place ? coins.findIndex((coin) => coin.name === before.place?.coin) : 0
  let examined = before?.examined ?? 0
  let storedAt = Date.now()
  for (const coin of coins.slice(Math.max(0, first))) {
    let after = before?.place?.coin === coin.name ? before.place.addressId : ''
    for (;;) {
      task.signal?.throwIfAborted()
      const page = await readAccountPage(sql, books, coin.name, { after, most: PAGE })
      await comparePage(network, task, at, coin, page)
      examined += page.accounts.length
      after = page.accounts.at(-1)?.addressId ?? after
      task.onProgress?.(examined)
      if (page.accounts.length < PAGE) break
      const paused = task.isSliceOver?.() ?? false
      if (!paused && Date.now() - storedAt < STORE_EVERY_MS) continue
      await saveChainAudit(sql, key, {
        block,
        place: { coin: coin.name, addressId: after },
        examined,
        found: findings,
        renewed: before?.renewed,
      })
      if (paused) return 'paused'
      storedAt = Date.now()
    }
  }
  await describeInFlight(task)
  return examined
}

async function comparePage(
  network: EvmNetwork,
  { sql, merchantId, findings }: ChainAuditTask,
  at: AccountsAt,
  coin: Coin,
  { accounts, attempts }: AccountPage,
): Promise<void> {
  if (accounts.length === 0) return
  const moved = new Map<string, bigint>()
  for (const move of await readMoves(network, at, attempts)) {
    if (move.coin !== coin.name) continue
    const address = move.address.toLowerCase()
    moved.set(address, (moved.get(address) ?? 0n) + move.amount)
  }
  const question = ({ address }: AccountAt) => ({ address, contract: coin.contract })
  const batches: AccountAt[][] = []
  for (let from = 0; from < accounts.length; from += BATCH) batches.push(accounts.slice(from, from + BATCH))
  const balances = (
    await mapConcurrently(batches, CONCURRENCY, (batch) => at.balances(batch.map(question)))
  ).flat()

  const different: { account: AccountAt; onChain: bigint | null; inBooks: bigint }[] = []
  for (const [index, account] of accounts.entries()) {
    const { booked, small, granted, address } = account
    const inBooks = booked + small + granted + (moved.get(address.toLowerCase()) ?? 0n)
    const onChain = balances[index] ?? null
    // A token that refuses says nothing about an address that never had any.
    if (onChain === null && inBooks === 0n) continue
    if (onChain !== inBooks) different.push({ account, onChain, inBooks })
    else if (granted > 0n) findings.expect(grantOf(network, coin, account))
  }
  if (different.length === 0) return
  await at.requireAgreement(
    different.map(({ account }) => question(account)),
    different.map(({ onChain }) => onChain),
  )
  for (const { account, onChain, inBooks } of different) {
    const missed = onChain !== null && onChain > inBooks
    const located =
      missed && findings.differenceCount + findings.expectedCount < MOST_LOCATED
        ? await locateMissed(sql, network, at, { merchantId, account, coin })
        : UNKNOWN
    // Anyone can force coins onto an address. The exception of the rise stands for them.
    if (onChain !== null && !located.seen && isRise(account, onChain - inBooks)) {
      findings.expect(riseOf(network, coin, account, onChain - inBooks))
      continue
    }
    findings.differ(
      {
        ...subjectOf(network, coin, account),
        expected: onChain === null ? null : formatAmount(onChain, coin.decimals),
        actual: formatAmount(inBooks, coin.decimals),
        reason: missed ? located.reason : reasonOf(onChain),
      },
      missed ? aboutMissed(network, coin, account) : null,
    )
  }
}

/** Returns the exception of coins that the books miss. The watcher may have raised it, when it noticed the rise. */
function aboutMissed(network: EvmNetwork, coin: Coin, { addressId, rise }: AccountAt): DifferenceAbout {
  return {
    kind: 'unattributed',
    cause:
      rise === null
        ? missedCause(network.name, `${addressId}:${coin.name}`)
        : riseCause(addressId, coin.name, 'unexplained', rise),
  }
}

function subjectOf(network: EvmNetwork, coin: Coin, { addressId, address }: AccountAt) {
  return {
    subject: { type: 'address', id: addressId },
    address,
    account: `chain:${addressId}`,
    network: network.name,
    coin: coin.name,
  }
}

function grantOf(network: EvmNetwork, coin: Coin, account: AccountAt) {
  return {
    ...subjectOf(network, coin, account),
    expected: formatAmount(account.granted, coin.decimals),
    actual: null,
    reason: 'A validator’s withdrawal arrived here, which is in no user’s balance',
  }
}

/** Whether a surplus is what the watcher noticed. It may have noticed after the block what came before it. */
function isRise({ risen, risenBefore }: AccountAt, surplus: bigint): boolean {
  return surplus > 0n && risenBefore <= surplus && surplus <= risen
}

function riseOf(network: EvmNetwork, coin: Coin, account: AccountAt, surplus: bigint) {
  return {
    ...subjectOf(network, coin, account),
    expected: formatAmount(surplus, coin.decimals),
    actual: null,
    reason: 'The balance rose without a transaction that shows it; an exception was raised for it',
  }
}

function reasonOf(onChain: bigint | null): string {
  return onChain === null
    ? 'The token refuses to say this balance'
    : 'The chain holds less than the books: coins left without a payout that the books know'
}
