/**
 * Books what leaves own addresses by transactions that are not ours: another party has the keys. The books
 * follow the chain.
 */

import type { Block, Transfer } from '../../chains/adapter.js'
import { knownCoin, type Network, nativeCoin } from '../../domain/chain/network.js'
import { formatAmount } from '../../domain/money.js'
import { appendAudit } from '../audit/append-audit.js'
import { closeCause } from '../books/exceptions/close-cause.js'
import { raiseExceptions } from '../books/exceptions/raise-exception.js'
import { type JournalEntry, postJournal } from '../books/ledger/post-journal.js'
import { reverseJournal } from '../books/ledger/reverse-journal.js'
import type { Queryable, Transaction } from '../connect.js'
import type { NewEvent } from '../events/log/append-events.js'
import { newId } from '../new-id.js'
import type { AddressFilter } from './address-filter.js'
import type { Hit, MinedTransfer } from './hit.js'
import { matchTransfers } from './match-transfers.js'
import type { SpentOutput } from './spend-outputs.js'

/** Spent own output, or what an own EVM account paid, fee included. Base units. */
export interface Outgo {
  readonly txid: string
  readonly merchantId: string
  readonly addressId: string
  readonly address: string
  readonly coin: string
  readonly amount: bigint
  /** Outpoint `txid:vout` of the output (UTXO). */
  readonly outpoint?: string
  /** Whether the account sent the transaction and paid its fee (EVM; 0 if it was free). */
  readonly sender?: boolean
}

/** Returns the own outputs that blocks of a UTXO network spend, as `Outgo`. */
export async function spentOutgoes(
  sql: Queryable,
  network: Network,
  spent: readonly SpentOutput[],
): Promise<Outgo[]> {
  if (spent.length === 0) return []
  const rows = await sql<{ id: string; address: string }[]>`
    SELECT id, address FROM addresses WHERE id = ANY (${[...new Set(spent.map((each) => each.addressId))]})`
  const addresses = new Map(rows.map((row) => [row.id, row.address]))
  return spent.map(({ txid, vout, by, merchantId, addressId, amount }) => ({
    txid: by,
    merchantId,
    addressId,
    address: addresses.get(addressId) ?? addressId,
    coin: nativeCoin(network).name,
    amount,
    outpoint: `${txid}:${vout}`,
  }))
}

/**
 * Returns what own accounts pay in blocks of an EVM network: values, tokens and fees, also if a stranger
 * moved them.
 */
export async function paidOutgoes(
  sql: Queryable,
  network: Network,
  blocks: readonly Block[],
  filter?: AddressFilter,
): Promise<Outgo[]> {
  const coin = nativeCoin(network).name
  const debits: Transfer[] = []
  const fees = new Set<Transfer>()
  for (const block of blocks) {
    for (const { txid, payer, amount } of block.charges ?? []) {
      const fee = { txid, index: 0, payee: payer, coin, amount }
      fees.add(fee)
      debits.push(fee)
    }
    for (const transfer of block.transfers) {
      const payer = transfer.origin?.payer
      // Anyone can write a transfer of 0 from an own address into a log.
      if (payer && transfer.amount > 0n) debits.push({ ...transfer, payee: payer.slice(2) })
    }
  }
  const matches = await matchTransfers(sql, network.name, debits, filter, 0n)
  return matches.map(({ transfer, address }) => ({
    txid: transfer.txid,
    merchantId: address.merchantId,
    addressId: address.id,
    address: address.address,
    coin: transfer.coin,
    amount: transfer.amount,
    ...(fees.has(transfer) ? { sender: true } : {}),
  }))
}

/** Returns the outgoes that no own transaction explains. */
export async function foreignOf(
  sql: Queryable,
  network: string,
  outgoes: readonly Outgo[],
): Promise<Outgo[]> {
  if (outgoes.length === 0) return []
  const own = await sql<{ txid: string }[]>`
    SELECT txid FROM attempts
    WHERE network = ${network} AND txid = ANY (${[...new Set(outgoes.map((each) => each.txid))]})`
  const known = new Set(own.map((row) => row.txid))
  return outgoes.filter((outgo) => !known.has(outgo.txid))
}

/**
 * Returns whether a transfer comes back to the merchant from whom a foreign transaction took. It is then no
 * deposit.
 */
export function comesBack(foreign: readonly Outgo[], hit: Hit): boolean {
  return foreign.some(
    (outgo) => outgo.txid === hit.transfer.txid && outgo.merchantId === hit.address.merchantId,
  )
}

/**
 * Books what foreign transactions moved, in one journal for each transaction and merchant. The addresses lose
 * and gain what the chain says, and the difference is the merchant's own loss; no user's balance changes. An
 * exception and an audit entry name the transaction.
 *
 * @param hits - Every transfer of the blocks to an own address.
 * @returns The events, which the caller appends in the same transaction.
 */
export async function recordForeignSpends(
  tx: Transaction,
  network: Network,
  blocks: readonly Block[],
  foreign: readonly Outgo[],
  hits: readonly Hit<MinedTransfer>[],
): Promise<NewEvent[]> {
  const groups = new Map<string, Outgo[]>()
  for (const outgo of foreign) {
    const key = `${outgo.txid} ${outgo.merchantId}`
    groups.set(key, [...(groups.get(key) ?? []), outgo])
  }
  if (groups.size === 0) return []
  const blockOf = new Map(blocks.flatMap((block) => block.txids.map((txid) => [txid, block] as const)))
  const events: NewEvent[] = []
  for (const outgoes of groups.values()) {
    const [first] = outgoes
    const block = first && blockOf.get(first.txid)
    if (!first || !block) throw new Error(`${first?.txid} is in none of the blocks that spent it`)
    const back = hits.filter((hit) => comesBack(outgoes, hit))
    const entries = entriesOf(network, outgoes, back)
    const journal =
      entries.length === 0
        ? null
        : await postJournal(tx, {
            merchantId: first.merchantId,
            // A block may come, go and come again. The row below makes it count once each time.
            idempotencyKey: newId('fsp'),
            type: 'foreign_spend.booked',
            reference: first.txid,
            height: block.height,
            entries,
          })
    await tx`
      INSERT INTO foreign_spends (network, txid, merchant_id, block_number, block_hash, journal_id, sender_address_id)
      VALUES (${network.name}, ${first.txid}, ${first.merchantId}, ${block.height}, ${block.hash}, ${journal?.journalId ?? null},
              ${outgoes.find((outgo) => outgo.sender)?.addressId ?? null})`
    const facts = factsOf(network, block, first.txid, outgoes, back)
    events.push(
      ...(await raiseExceptions(tx, [
        {
          merchantId: first.merchantId,
          kind: 'foreign_spend',
          cause: causeOf(network.name, first.txid),
          subject: { type: 'transaction', id: first.txid },
          reason: MESSAGE,
          expected: 'no spend that the platform did not build',
          actual: outgoes.map(({ coin, amount }) => shownAmount(network, coin, amount)).join(', '),
          evidence: facts,
        },
      ])),
    )
    await appendAudit(tx, {
      merchantId: first.merchantId,
      actor: 'system:chain-watcher',
      action: 'foreign_spend.booked',
      subject: first.txid,
      data: facts,
    })
  }
  return events
}

/** Reverts what was booked for blocks above a height. */
export async function revertForeignSpends(tx: Transaction, network: string, height: number): Promise<void> {
  const gone = await tx<ForeignRow[]>`
    DELETE FROM foreign_spends WHERE network = ${network} AND block_number > ${height}
    RETURNING txid, merchant_id, journal_id`
  for (const row of gone) {
    await reverse(tx, row, 'foreign_spend.reverted')
    await closeCause(tx, row.merchant_id, causeOf(network, row.txid), { reverted_above: height })
  }
}

/**
 * Reclaims a transaction that proves to be own: its signer's answer came after its block. Its foreign journal
 * is reversed, because the payout books it when it settles.
 *
 * @returns The scanned block that has it. `null` if none has.
 */
export async function reclaimForeignSpend(
  tx: Transaction,
  network: string,
  txid: string,
): Promise<{ readonly height: number; readonly hash: string } | null> {
  const claimed = await tx<(ForeignRow & { block_number: bigint; block_hash: string })[]>`
    DELETE FROM foreign_spends WHERE network = ${network} AND txid = ${txid}
    RETURNING txid, merchant_id, journal_id, block_number, block_hash`
  for (const row of claimed) {
    await reverse(tx, row, 'foreign_spend.reclaimed')
    await closeCause(tx, row.merchant_id, causeOf(network, txid), { reclaimed: true })
  }
  const [block] = claimed
  return block ? { height: Number(block.block_number), hash: block.block_hash } : null
}

const MESSAGE =
  'A foreign transaction spent from an own address, so another party signs with its key. The books follow the chain, and the loss is on the merchant’s own account'

/** Returns the cause of the exception about a transaction. */
function causeOf(network: string, txid: string): string {
  return `foreign_spend:${network}:${txid}`
}

function shownAmount(network: Network, coin: string, amount: bigint): string {
  return `${formatAmount(amount, knownCoin(network, coin).decimals)} ${coin}`
}

interface ForeignRow {
  readonly txid: string
  readonly merchant_id: string
  readonly journal_id: bigint | null
}

async function reverse(tx: Transaction, row: ForeignRow, type: string): Promise<void> {
  if (row.journal_id === null) return
  await reverseJournal(tx, {
    merchantId: row.merchant_id,
    journalId: row.journal_id,
    idempotencyKey: `foreign:${row.journal_id}:reverted`,
    type,
    reference: row.txid,
  })
}

/**
 * Returns the entries of a journal: the addresses with what they lost and gained, and the rest on the
 * merchant's own account.
 */
function entriesOf(network: Network, outgoes: readonly Outgo[], back: readonly Hit[]): JournalEntry[] {
  const chain = new Map<string, { coin: string; owner: string; amount: bigint }>()
  const move = (coin: string, owner: string, amount: bigint) => {
    const key = `${coin} ${owner}`
    chain.set(key, { coin, owner, amount: (chain.get(key)?.amount ?? 0n) + amount })
  }
  for (const outgo of outgoes) move(outgo.coin, outgo.addressId, -outgo.amount)
  for (const { transfer, address } of back) move(transfer.coin, address.id, transfer.amount)
  const loss = new Map<string, bigint>()
  for (const { coin, amount } of chain.values()) loss.set(coin, (loss.get(coin) ?? 0n) - amount)
  return [
    ...[...chain.values()].map((each) => ({ network: network.name, kind: 'chain' as const, ...each })),
    ...[...loss].map(([coin, amount]) => ({
      network: network.name,
      coin,
      kind: 'available' as const,
      owner: '',
      amount,
    })),
  ].filter((entry) => entry.amount !== 0n)
}

function factsOf(
  network: Network,
  block: Block,
  txid: string,
  outgoes: readonly Outgo[],
  back: readonly Hit[],
): Record<string, unknown> {
  const shown = (coin: string, amount: bigint) => ({
    coin,
    amount: formatAmount(amount, knownCoin(network, coin).decimals),
  })
  return {
    message: MESSAGE,
    network: network.name,
    transaction_hash: txid,
    block_number: block.height,
    block_hash: block.hash,
    spent: outgoes.map(({ address, coin, amount, outpoint }) => ({
      address,
      ...shown(coin, amount),
      ...(outpoint === undefined ? {} : { outpoint }),
    })),
    returned: back.map(({ address, transfer }) => ({
      address: address.address,
      ...shown(transfer.coin, transfer.amount),
    })),
  }
}
