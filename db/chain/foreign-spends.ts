/**
 * What leaves addresses of ours by transactions that are not ours: somebody else has the keys. The books
 * follow the chain.
 */

import type { Block, Transfer } from '../../chains/adapter.js'
import { knownCoin, type Network, nativeCoin } from '../../domain/chain/network.js'
import { formatAmount } from '../../domain/money.js'
import { appendAudit } from '../audit/append-audit.js'
import { type JournalEntry, postJournal } from '../books/ledger/post-journal.js'
import { reverseJournal } from '../books/ledger/reverse-journal.js'
import type { Queryable, Transaction } from '../connect.js'
import type { NewEvent } from '../events/log/append-events.js'
import { exceptionEvent } from '../events/log/raise-exception.js'
import { newId } from '../new-id.js'
import type { Hit, MinedTransfer } from './hit.js'
import { matchTransfers } from './match-transfers.js'
import type { SpentOutput } from './spend-outputs.js'

/** An output of ours that was spent, or what an EVM account of ours paid, fee included. Base units. */
export interface Outgo {
  readonly txid: string
  readonly merchantId: string
  readonly addressId: string
  readonly address: string
  readonly coin: string
  readonly amount: bigint
  /** `txid:vout` of the output (UTXO). */
  readonly outpoint?: string
  /** EVM: the account sent the transaction, and paid its fee (0 where it was free). */
  readonly sender?: boolean
}

/** Outputs of ours that blocks of a UTXO network spend, as `Outgo`. */
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

/** What accounts of ours pay in blocks of an EVM network: values, tokens and fees, also where a stranger moved them. */
export async function paidOutgoes(
  sql: Queryable,
  network: Network,
  blocks: readonly Block[],
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
      // Anybody can write a transfer of nothing from us into a log.
      if (payer && transfer.amount > 0n) debits.push({ ...transfer, payee: payer.slice(2) })
    }
  }
  const matches = await matchTransfers(sql, network.name, debits, 0n)
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

/** Those that no transaction of ours explains. */
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
 * Whether a transfer comes back to the merchant that a foreign transaction took from: then it is no deposit
 * of anybody.
 */
export function comesBack(foreign: readonly Outgo[], hit: Hit): boolean {
  return foreign.some(
    (outgo) => outgo.txid === hit.transfer.txid && outgo.merchantId === hit.address.merchantId,
  )
}

/**
 * Books what foreign transactions moved, one journal a transaction and merchant: the addresses lose and gain
 * what the chain says, and the difference is the merchant's own loss; no user's balance changes. An exception
 * and an audit entry name the transaction.
 *
 * @param hits - Every transfer of the blocks to an address of ours.
 * @returns The events, to be appended by the caller in the same transaction.
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
            // A block may come, go and come again: the row below is what makes it once a time.
            idempotencyKey: newId('fsp'),
            type: 'foreign_spend.booked',
            reference: first.txid,
            entries,
          })
    await tx`
      INSERT INTO foreign_spends (network, txid, merchant_id, block_number, block_hash, journal_id, sender_address_id)
      VALUES (${network.name}, ${first.txid}, ${first.merchantId}, ${block.height}, ${block.hash}, ${journal?.journalId ?? null},
              ${outgoes.find((outgo) => outgo.sender)?.addressId ?? null})`
    const facts = factsOf(network, block, first.txid, outgoes, back)
    events.push(
      exceptionEvent({
        merchantId: first.merchantId,
        kind: 'foreign_spend',
        severity: 'critical',
        subject: first.txid,
        facts,
      }),
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

/** Takes back what blocks above a height had told. */
export async function revertForeignSpends(tx: Transaction, network: string, height: number): Promise<void> {
  const gone = await tx<ForeignRow[]>`
    DELETE FROM foreign_spends WHERE network = ${network} AND block_number > ${height}
    RETURNING txid, merchant_id, journal_id`
  for (const row of gone) await reverse(tx, row, 'foreign_spend.reverted')
}

/**
 * A transaction turns out to be ours: its signer's answer came after its block. What was booked is undone,
 * because the payment books it when it is settled.
 *
 * @returns The scanned block that has it, or null.
 */
export async function reclaimForeignSpend(
  tx: Transaction,
  network: string,
  txid: string,
): Promise<{ readonly height: number; readonly hash: string } | null> {
  const claimed = await tx<(ForeignRow & { block_number: bigint; block_hash: string })[]>`
    DELETE FROM foreign_spends WHERE network = ${network} AND txid = ${txid}
    RETURNING txid, merchant_id, journal_id, block_number, block_hash`
  for (const row of claimed) await reverse(tx, row, 'foreign_spend.reclaimed')
  const [block] = claimed
  return block ? { height: Number(block.block_number), hash: block.block_hash } : null
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

/** The addresses by what they lost and gained, and the rest on the merchant's own account. */
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
    message:
      'A transaction that is not ours spent from an address of ours: somebody else signs with its key. The books follow the chain, and the loss is on the merchant’s own account',
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
