/**
 * Chooses coins together with their parents. A signer needs each parent whole, so coins of fat parents pay
 * only if no others suffice.
 */

import type { SpendableOutput } from '../../adapter.js'
import type { TransactionSource } from '../chain/transaction-source.js'
import type { Selection } from '../coins/select-coins.js'
import type { ParsedTransaction } from '../parse/parse-transaction.js'

/** Size above which a parent is fat: 250 lean ones are 2.5 MB at most. */
const FAT_BYTES = 10_000
/** Size of the fattest parent: no standard transaction has more bytes without its witnesses. */
const FATTEST_BYTES = 100_000
/** Sum of parents below which all are taken, fat or not. */
const COMFORTABLE_BYTES = 750_000
/** Largest sum of the parents of one payout: 3.7 MB in base64, see `MAX_PAYLOAD_BYTES`. */
const MOST_BYTES = 2_800_000
/** Number of selections after which unknown parents count as the fattest. */
const MOST_ROUNDS = 20
const MOST_REMEMBERED = 20_000

/** Bytes of fat parents, by txid. One map an adapter. */
export type FatParents = Map<string, number>

export type ChosenCoins =
  | {
      readonly selection: Extract<Selection<SpendableOutput>, { kind: 'selected' }>
      readonly parents: ReadonlyMap<string, ParsedTransaction>
    }
  | { readonly selection: Exclude<Selection<SpendableOutput>, { kind: 'selected' }>; readonly parents: null }

/**
 * Selects among coins whose parents are not known to be fat, fetches the parents, and selects again without
 * those that prove fat. If that does not suffice, the fat parents of the largest coins are allowed, as many
 * as fit.
 *
 * @param choose - Selects among these candidates, beside the required ones.
 * @param most - Most inputs of one transaction.
 */
export async function chooseCoins(
  candidates: readonly SpendableOutput[],
  required: readonly SpendableOutput[],
  source: TransactionSource,
  fat: FatParents,
  most: number,
  choose: (candidates: readonly SpendableOutput[]) => Selection<SpendableOutput>,
): Promise<ChosenCoins> {
  let fatToo = false
  for (let round = 0; ; round++) {
    const sizeOf = ({ txid }: SpendableOutput) =>
      fat.get(txid) ?? (round < MOST_ROUNDS ? FAT_BYTES : FATTEST_BYTES)
    const lean = candidates.filter((coin) => sizeOf(coin) <= FAT_BYTES)
    const pool = fatToo ? [...lean, ...thoseThatFit(candidates, required, lean.length, most, sizeOf)] : lean
    const selection = choose(pool)
    if (selection.kind !== 'selected') {
      if (!fatToo && pool.length < candidates.length) {
        fatToo = true
        continue
      }
      return { selection: fragmented(selection, pool, candidates, choose), parents: null }
    }
    const parents = await source.fetch(selection.coins.map((coin) => coin.txid))
    const found = remember(fat, parents)
    const bytes = selection.coins.reduce(
      (sum, coin) => sum + (parents.get(coin.txid)?.stripped.length ?? 0),
      0,
    )
    const fits = bytes <= (fatToo ? MOST_BYTES : COMFORTABLE_BYTES)
    const anotherChoice = found.some((txid) => candidates.some((coin) => coin.txid === txid))
    if (fits || !anotherChoice || round > MOST_ROUNDS) return { selection, parents }
  }
}

/** Returns the fat ones with the largest amounts, so that no selection of `most` coins exceeds a payload. */
function thoseThatFit(
  candidates: readonly SpendableOutput[],
  required: readonly SpendableOutput[],
  leanCoins: number,
  most: number,
  sizeOf: (coin: SpendableOutput) => number,
): SpendableOutput[] {
  let room = most - required.length
  let bytes = required.reduce((sum, coin) => sum + sizeOf(coin), 0)
  const fitting: SpendableOutput[] = []
  const fat = candidates.filter((coin) => sizeOf(coin) > FAT_BYTES)
  for (const coin of fat.sort((a, b) => (a.amount < b.amount ? 1 : a.amount > b.amount ? -1 : 0))) {
    bytes += sizeOf(coin)
    room--
    const besides = Math.min(room, leanCoins) * FAT_BYTES
    if (room < 0 || bytes + besides > MOST_BYTES) break
    fitting.push(coin)
  }
  return fitting
}

/** Returns whether the missing amount is in coins that one transaction cannot spend beside the others. */
function fragmented(
  selection: Exclude<Selection<SpendableOutput>, { kind: 'selected' }>,
  pool: readonly SpendableOutput[],
  candidates: readonly SpendableOutput[],
  choose: (candidates: readonly SpendableOutput[]) => Selection<SpendableOutput>,
): Exclude<Selection<SpendableOutput>, { kind: 'selected' }> {
  if (selection.kind !== 'insufficient_funds' || pool.length === candidates.length) return selection
  const { missing } = selection
  return choose(candidates).kind === 'insufficient_funds' ? selection : { kind: 'too_many_inputs', missing }
}

/** Remembers the sizes of fat parents and forgets the oldest first. @returns Those that were unknown. */
function remember(fat: FatParents, parents: ReadonlyMap<string, ParsedTransaction>): string[] {
  const found: string[] = []
  for (const [txid, { stripped }] of parents) {
    if (stripped.length <= FAT_BYTES || fat.has(txid)) continue
    fat.set(txid, stripped.length)
    found.push(txid)
  }
  for (const txid of fat.keys()) {
    if (fat.size <= MOST_REMEMBERED) break
    fat.delete(txid)
  }
  return found
}
