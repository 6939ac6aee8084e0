/** Checks what the chains hold at the blocks of a period's proof against the entries of the ledger. */

import type { ProofBlock } from '../../domain/books/period-books.js'
import { AuditFailure } from '../audit-failure.js'
import { openAccountsOf } from '../evm/open-accounts.js'
import { openNode } from '../rpc/open-node.js'
import { chainOf } from '../utxo/open-chain.js'
import { walkChain } from '../utxo/walk-chain.js'
import type { AccountAtEnd } from './check-ledger.js'
import { parseDecimal, scale, showDecimal } from './decimal.js'
import type { Findings } from './findings.js'
import { scriptOfAddress } from './script-of-address.js'

/** What the platform says lies on an address and is not in its ledger. */
export interface OutsideBooks {
  readonly coin: string
  readonly amount: string
  readonly source: 'small_transfer' | 'validator_withdrawal' | 'unexplained'
  /** Block that has it, or at which it was noticed. `null`: an old block that is not kept. */
  readonly block_number: number | null
}

/** What lay outside the books until people credited it. */
export interface BookedRise extends OutsideBooks {
  /** Time of its journal, ISO 8601. */
  readonly booked_at: string
}

/** An address of the export, as far as it is checked. */
export interface ExportedAddress {
  readonly id: string
  readonly address: string
  readonly network: string
  readonly outside_books: readonly OutsideBooks[]
  /** Absent in exports of older versions. */
  readonly booked_rises?: readonly BookedRise[]
}

/** A network of `GET /networks`, as far as it is checked. */
export interface ExportedNetwork {
  readonly network: string
  readonly family: 'utxo' | 'evm'
  readonly chain_id: string
  readonly coins: readonly {
    readonly coin: string
    readonly decimals: number
    readonly contract: string | null
  }[]
}

export interface ChainQuestion {
  readonly proof: ProofBlock
  readonly network: ExportedNetwork
  readonly url: string
  readonly addresses: readonly ExportedAddress[]
  readonly accounts: readonly AccountAtEnd[]
  /** End of the period, ISO 8601, not included. */
  readonly end: string
  /** First block that can pay an address (UTXO). */
  readonly fromBlock: number
  /** Receives the height that was read, of the proof's. */
  readonly onProgress?: (height: number) => void
}

/** Questions of one request to an EVM node. */
const BATCH = 100
/** Addresses that are named of those with coins outside the books. */
const MOST_NAMED = 20
/** Unspent outputs that are named of an address that differs. */
const MOST_OUTPUTS = 10

/** Compares every address and coin of a network. A node that cannot answer leaves it unchecked. */
export async function checkChain(question: ChainQuestion, findings: Findings): Promise<void> {
  const { proof, network } = question
  const check = `chain ${proof.network}`
  try {
    const holdings = network.family === 'utxo' ? await readOutputs(question) : await readBalances(question)
    const apart = compare(question, holdings, check, findings)
    if (apart === 0)
      findings.holds(
        check,
        `${holdings.size} balances at block ${proof.block_number} (${proof.block_hash}) are those of the ledger`,
      )
  } catch (error) {
    if (!(error instanceof AuditFailure)) throw error
    if (error.code === 'NODE_ON_ANOTHER_BRANCH') findings.fault(check, error.message)
    else findings.unchecked(check, `${error.code}: ${error.message}`)
  }
}

/** What the chain holds on an address of a coin. */
interface Holding {
  /** Scaled. */
  readonly amount: bigint
  /** Unspent outputs as `txid:vout amount`, the oldest first (UTXO). `null` on other chains. */
  readonly outputs: readonly string[] | null
}

/** What the chain holds by address id and coin. */
type Holdings = ReadonlyMap<string, Holding>

const keyOf = (addressId: string, coin: string) => JSON.stringify([addressId, coin])

async function readOutputs({
  proof,
  network,
  url,
  addresses,
  fromBlock,
  onProgress,
}: ChainQuestion): Promise<Holdings> {
  const [coin] = network.coins
  const to = { height: proof.block_number, hash: proof.block_hash }
  const chain = chainOf(openNode(url, `node of ${network.network}`))
  await requireHash(to, await chain.hashAt(to.height))
  const owners = new Map(addresses.map(({ id, address }) => [scriptOfAddress(address), id]))
  const unspent = new Map<string, { readonly owner: string; readonly amount: bigint }>()
  for await (const block of walkChain(chain, { height: fromBlock - 1, hash: null }, to)) {
    for (const { txid, vout, amount, script } of block.outputs) {
      const owner = owners.get(script)
      if (owner !== undefined) unspent.set(`${txid}:${vout}`, { owner, amount })
    }
    for (const { txid, vout } of block.spends) unspent.delete(`${txid}:${vout}`)
    onProgress?.(block.height)
  }
  const holdings = new Map<string, { amount: bigint; readonly outputs: string[] }>()
  for (const { id } of addresses) holdings.set(keyOf(id, coin?.coin ?? ''), { amount: 0n, outputs: [] })
  for (const [outpoint, { owner, amount }] of unspent) {
    const held = holdings.get(keyOf(owner, coin?.coin ?? ''))
    if (!held) continue
    const scaled = scale(amount, coin?.decimals ?? 0)
    held.amount += scaled
    if (held.outputs.length <= MOST_OUTPUTS) held.outputs.push(`${outpoint} ${showDecimal(scaled)}`)
  }
  return holdings
}

async function readBalances({ proof, network, url, addresses }: ChainQuestion): Promise<Holdings> {
  const block = { height: proof.block_number, hash: proof.block_hash }
  const at = await openAccountsOf(
    { chainId: Number(network.chain_id.split(':')[1]), nodes: [openNode(url, `node of ${network.network}`)] },
    block,
  )
  const holdings = new Map<string, Holding>()
  for (const { coin, decimals, contract } of network.coins) {
    for (let from = 0; from < addresses.length; from += BATCH) {
      const batch = addresses.slice(from, from + BATCH)
      const balances = await at.balances(batch.map(({ address }) => ({ address, contract })))
      for (const [index, { id }] of batch.entries())
        holdings.set(keyOf(id, coin), { amount: scale(balances[index] ?? 0n, decimals), outputs: null })
    }
  }
  return holdings
}

function requireHash({ height, hash }: { height: number; hash: string }, found: string | null): void {
  if (found === hash) return
  throw found === null
    ? new AuditFailure('NODE_BEHIND', `the node has not reached block ${height}`)
    : new AuditFailure(
        'NODE_ON_ANOTHER_BRANCH',
        `the node has ${found} at height ${height}, and the proof ${hash}`,
      )
}

/** @returns The number of faults, and of coins of which something lies outside the books. */
function compare(
  { proof, addresses, accounts, end }: ChainQuestion,
  holdings: Holdings,
  check: string,
  findings: Findings,
): number {
  const books = new Map<string, bigint>()
  for (const { account, network, coin, balance } of accounts) {
    if (network === proof.network && account.startsWith('chain:'))
      books.set(keyOf(account.slice('chain:'.length), coin), balance)
  }
  const known = new Map(addresses.map((address) => [address.id, address]))
  const outside = new Map<string, { readonly address: string; readonly amount: bigint }[]>()
  let faults = 0
  const fault = (what: string) => {
    faults += 1
    findings.fault(check, what)
  }
  for (const key of new Set([...holdings.keys(), ...books.keys()])) {
    const [id = '', coin = ''] = JSON.parse(key) as string[]
    const address = known.get(id)
    const [holding, inBooks] = [holdings.get(key), books.get(key) ?? 0n]
    if (!address || holding === undefined) {
      if (inBooks !== 0n)
        fault(
          `${id} holds ${showDecimal(inBooks)} ${coin} in the ledger, and the exports have no such address or coin`,
        )
      continue
    }
    const { least, most } = outsideAt(address, coin, proof.block_number, end)
    const { amount: onChain, outputs } = holding
    const surplus = onChain - inBooks
    const held = `${address.address} holds ${showDecimal(onChain)} ${coin} at block ${proof.block_number}, and ${showDecimal(inBooks)} in the ledger`
    if (surplus < least || surplus > most)
      fault(
        (most === 0n
          ? held
          : `${held}; ${showDecimal(least)} to ${showDecimal(most)} is said to lie outside`) +
          nameOutputs(outputs),
      )
    // The platform alone says why, so this is no proof.
    else if (surplus !== 0n) {
      const named = outside.get(coin) ?? []
      named.push({ address: address.address, amount: surplus })
      outside.set(coin, named)
    }
  }
  for (const [coin, each] of outside) {
    const sum = each.reduce((total, { amount }) => total + amount, 0n)
    const named = each.slice(0, MOST_NAMED).map(({ address, amount }) => `${address} ${showDecimal(amount)}`)
    findings.unchecked(
      check,
      `${showDecimal(sum)} ${coin} lies outside the books at block ${proof.block_number} on ${each.length} addresses, ` +
        `and only the platform says why: ${named.join(', ')}${each.length > MOST_NAMED ? ', …' : ''}`,
    )
  }
  return faults + outside.size
}

/** Returns the least and the most that may lie outside the books at a block. They are equal where all blocks are known. */
function outsideAt(
  address: ExportedAddress,
  coin: string,
  height: number,
  end: string,
): { least: bigint; most: bigint } {
  let [least, most] = [0n, 0n]
  const bookedLater = (address.booked_rises ?? []).filter(({ booked_at: at }) => at >= end)
  for (const each of [...address.outside_books, ...bookedLater]) {
    if (each.coin !== coin) continue
    const amount = parseDecimal(each.amount) ?? 0n
    if (each.block_number !== null && each.block_number <= height) least += amount
    // An unexplained rise may have been noticed later than it came.
    else if (each.block_number !== null && each.source !== 'unexplained') continue
    most += amount
  }
  return { least, most }
}

/** Names the outputs that an address has, so that the one which the books lack, or have in addition, can be found. */
function nameOutputs(outputs: Holding['outputs']): string {
  if (outputs === null) return ''
  if (outputs.length === 0) return '; it has no unspent output there'
  const more = outputs.length > MOST_OUTPUTS ? ', …' : ''
  return `; its unspent outputs there: ${outputs.slice(0, MOST_OUTPUTS).join(', ')}${more}`
}
