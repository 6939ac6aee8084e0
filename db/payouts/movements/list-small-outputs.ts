/**
 * Lists the small outputs of a merchant that may be consolidated: deposits, change and the master wallet's
 * own.
 */

import type { UtxoNetwork } from '../../../domain/chain/network.js'
import { FREE_DEPOSITS } from '../../../domain/deposits/deposit-sets.js'
import type { Queryable } from '../../connect.js'
import { members } from '../../members.js'
import type { UnspentOutput } from '../attempts/list-spendable-outputs.js'

const COINBASE_MATURITY = 100

/**
 * Lists the outputs below `small` base units that are confirmed, credited, unspent and unreserved, largest
 * first. An input of the first signed attempt of a payout that was given up is left to payouts to outsiders:
 * the signer gives it to no movement.
 */
export async function listSmallOutputs(
  sql: Queryable,
  merchantId: string,
  network: Pick<UtxoNetwork, 'name' | 'confirmations'>,
  small: bigint,
  most: number,
): Promise<UnspentOutput[]> {
  return sql<UnspentOutput[]>`
    ${columns(sql)}
    JOIN chain_cursors cursor ON cursor.network = output.network
    WHERE output.merchant_id = ${merchantId} AND output.network = ${network.name} AND output.amount < ${small.toString()}::numeric
      AND address.kind IN ('deposit', 'change', 'master')
      AND output.spent_by IS NULL AND output.block_number IS NOT NULL
      AND cursor.height - output.block_number + 1 >=
          CASE WHEN output.coinbase THEN ${COINBASE_MATURITY}::int ELSE ${network.confirmations}::int END
      AND ${free(sql)} AND ${neverSigned(sql)}
    ORDER BY output.amount DESC, output.txid, output.vout LIMIT ${most}`
}

/** Returns the named outputs that are in a block and still free, in the order in which they are named. */
export async function listFreeOutputs(
  sql: Queryable,
  network: string,
  outpoints: readonly { readonly txid: string; readonly vout: number }[],
): Promise<UnspentOutput[]> {
  return sql<UnspentOutput[]>`
    ${columns(sql)}
    JOIN unnest(${outpoints.map((each) => each.txid)}::text[], ${outpoints.map((each) => each.vout)}::int[])
      WITH ORDINALITY AS wanted (txid, vout, place) ON wanted.txid = output.txid AND wanted.vout = output.vout
    WHERE output.network = ${network} AND output.spent_by IS NULL AND output.block_number IS NOT NULL AND ${free(sql)}
    ORDER BY wanted.place`
}

function columns(sql: Queryable) {
  return sql`
    SELECT output.txid, output.vout, output.amount, address.id AS address_id, address.address, address.derivation_path,
           address.branch, address.index, account.xpub, signer.master_fingerprint, signer.id AS signer_id
    FROM utxos output
    JOIN addresses address ON address.id = output.address_id
    JOIN key_accounts account ON account.id = address.key_account_id
    JOIN signers signer ON signer.id = account.signer_id AND signer.revoked_at IS NULL`
}

/** Not reserved by a payout, and not part of a deposit that may be taken back or held. */
function free(sql: Queryable) {
  return sql`
    NOT EXISTS (
      SELECT 1 FROM utxo_reservations reservation
      WHERE reservation.network = output.network AND reservation.txid = output.txid AND reservation.vout = output.vout
        AND reservation.released_at IS NULL)
    AND NOT EXISTS (
      SELECT 1 FROM deposits deposit
      WHERE deposit.network = output.network AND deposit.txid = output.txid AND deposit.output_index = output.vout
        AND deposit.status NOT IN ${members(sql, FREE_DEPOSITS)} AND deposit.refunded_by IS NULL)`
}

/** Not an input of the first signed attempt of any payout. */
function neverSigned(sql: Queryable) {
  return sql`
    NOT EXISTS (
      SELECT 1 FROM utxo_reservations reservation
      JOIN attempts attempt ON attempt.id = reservation.transaction_id
      WHERE reservation.network = output.network AND reservation.txid = output.txid AND reservation.vout = output.vout
        AND reservation.released_at IS NOT NULL AND attempt.number = 1 AND attempt.txid IS NOT NULL)`
}
