/** Lists the unspent outputs that may pay a UTXO payout. */

import { FREE_DEPOSITS } from '../../../domain/deposits/deposit-sets.js'
import type { Queryable } from '../../connect.js'
import { members } from '../../members.js'
import type { PayoutRow } from '../payout-row.js'

/** An output, with what is needed to derive its key. */
export interface UnspentOutput {
  readonly txid: string
  readonly vout: number
  readonly amount: bigint
  readonly address_id: string
  readonly address: string
  readonly derivation_path: string
  readonly branch: number
  readonly index: number
  readonly xpub: string
  readonly master_fingerprint: string
  readonly signer_id: string
}

/** Most outputs that are read. A merchant with more unspent outputs pays from the largest. */
const MOST = 2_000
const COINBASE_MATURITY = 100
/** Most inputs of one transaction that adapters build. */
export const MOST_INPUTS = 250

/**
 * Lists the outputs that are confirmed, unspent, unreserved and ours to spend, largest first. An output that
 * came from outside must be credited first, so that neither a reorg nor screening takes it back; our own
 * change needs one confirmation. An output that is in a block although its deposit was replaced came from a
 * stranger's use of our keys: the mempool had shown it, and it is no deposit of any user.
 *
 * @param row.from_address_id - When set, only outputs of that wallet (with change, for the master wallet).
 */
export async function listSpendableOutputs(
  sql: Queryable,
  row: Pick<PayoutRow, 'merchant_id' | 'network' | 'from_address_id'>,
  confirmations: number,
): Promise<UnspentOutput[]> {
  return sql<UnspentOutput[]>`
    SELECT output.txid, output.vout, output.amount, address.id AS address_id, address.address, address.derivation_path,
           address.branch, address.index, account.xpub, signer.master_fingerprint, signer.id AS signer_id
    ${spendableOutputs(sql, row.merchant_id, row.network, confirmations)}
      AND (${row.from_address_id}::text IS NULL OR address.id = ${row.from_address_id}
           OR (address.kind = 'change' AND EXISTS (
             SELECT 1 FROM addresses wallet WHERE wallet.id = ${row.from_address_id} AND wallet.kind = 'master')))
    ORDER BY output.amount DESC, output.txid, output.vout LIMIT ${MOST}`
}

/**
 * Returns the part of a query that follows the columns. `output`, `address`, `account` and `signer` can be
 * selected, and `AND` may follow.
 */
export function spendableOutputs(sql: Queryable, merchantId: string, network: string, confirmations: number) {
  return sql`
    FROM utxos output
    JOIN chain_cursors cursor ON cursor.network = output.network
    JOIN addresses address ON address.id = output.address_id
    JOIN key_accounts account ON account.id = address.key_account_id
    JOIN signers signer ON signer.id = account.signer_id AND signer.revoked_at IS NULL
    WHERE output.merchant_id = ${merchantId} AND output.network = ${network}
      AND output.spent_by IS NULL AND output.block_number IS NOT NULL
      AND cursor.height - output.block_number + 1 >=
          CASE WHEN output.coinbase THEN ${COINBASE_MATURITY}
               WHEN address.kind = 'change' THEN 1 ELSE ${confirmations} END
      AND NOT EXISTS (
        SELECT 1 FROM utxo_reservations reservation
        WHERE reservation.network = output.network AND reservation.txid = output.txid AND reservation.vout = output.vout
          AND reservation.released_at IS NULL)
      AND NOT EXISTS (
        SELECT 1 FROM deposits deposit
        WHERE deposit.network = output.network AND deposit.txid = output.txid AND deposit.output_index = output.vout
          AND deposit.status NOT IN ${members(sql, FREE_DEPOSITS)} AND deposit.refunded_by IS NULL)`
}

/**
 * Lists the named outputs with their keys in the order in which they are named, whether reserved or not.
 * @throws Error when one is not ours.
 */
export async function listOutputs(
  sql: Queryable,
  network: string,
  outpoints: readonly { readonly txid: string; readonly vout: number }[],
): Promise<UnspentOutput[]> {
  const rows = await sql<UnspentOutput[]>`
    SELECT output.txid, output.vout, output.amount, address.id AS address_id, address.address, address.derivation_path,
           address.branch, address.index, account.xpub, signer.master_fingerprint, signer.id AS signer_id
    FROM unnest(${outpoints.map((each) => each.txid)}::text[], ${outpoints.map((each) => each.vout)}::int[])
      WITH ORDINALITY AS wanted (txid, vout, place)
    JOIN utxos output ON output.network = ${network} AND output.txid = wanted.txid AND output.vout = wanted.vout
    JOIN addresses address ON address.id = output.address_id
    JOIN key_accounts account ON account.id = address.key_account_id
    JOIN signers signer ON signer.id = account.signer_id
    ORDER BY wanted.place`
  if (rows.length !== outpoints.length)
    throw new Error(`Outputs of ${network} that were reserved are not stored`)
  return rows
}

/**
 * Finds the address that receives a merchant's change on a UTXO network.
 *
 * @throws Error when the signer never reported the accounts.
 */
export async function findChangeAddress(
  sql: Queryable,
  row: Pick<PayoutRow, 'merchant_id' | 'network'>,
): Promise<Omit<UnspentOutput, 'txid' | 'vout' | 'amount'>> {
  const [change] = await sql<Omit<UnspentOutput, 'txid' | 'vout' | 'amount'>[]>`
    SELECT address.id AS address_id, address.address, address.derivation_path, address.branch, address.index, account.xpub,
           signer.master_fingerprint, signer.id AS signer_id
    FROM addresses address
    JOIN key_accounts account ON account.id = address.key_account_id
    JOIN signers signer ON signer.id = account.signer_id
    WHERE address.merchant_id = ${row.merchant_id} AND address.network = ${row.network} AND address.kind = 'change'
    ORDER BY address.index LIMIT 1`
  if (!change) throw new Error(`Merchant ${row.merchant_id} has no change address on ${row.network}`)
  return change
}
