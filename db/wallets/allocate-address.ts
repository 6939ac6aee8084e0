/** A user's deposit address on a network: the existing one, or the next of the merchant's extended public key. */

import { deriveAddress } from '../../domain/address/derive-address.js'
import { matchKey } from '../../domain/chain/match-key.js'
import type { Network } from '../../domain/chain/network.js'
import { KeyturnError } from '../../domain/errors.js'
import type { Transaction } from '../connect.js'
import { newId } from '../new-id.js'
import type { AddressRow } from './list-addresses.js'

export interface AddressRequest {
  readonly merchantId: string
  readonly network: Network
  readonly userReference: string
  readonly label: string | null
  /** True for another address although there is one. */
  readonly fresh: boolean
}

/**
 * Finds or makes the address. The row of the key account is the only source of indexes and is locked while one is taken,
 * so no two requests ever share an index, and two first requests of one user get the same address.
 *
 * @throws KeyturnError `RAIL_NOT_ENABLED` when the merchant does not use the network, `NO_SIGNER` before its signer enrolled,
 * `DEPENDENCY_UNAVAILABLE` (retryable) while the counter of a database that was started again is compared with the chain.
 */
export async function allocateAddress(
  tx: Transaction,
  request: AddressRequest,
): Promise<{ readonly address: AddressRow; readonly created: boolean }> {
  const { merchantId, network, userReference } = request
  if (!request.fresh) {
    const existing = await newestAddress(tx, request)
    if (existing) return { address: existing, created: false }
  }
  const [account] = await tx<
    { id: string; path: string; xpub: string; next_index: number; enabled: boolean; compared: boolean }[]
  >`
    SELECT account.id, account.path, account.xpub, account.next_index,
           account.counter_compared IS NOT DISTINCT FROM database_incarnation() AS compared,
           EXISTS (SELECT FROM merchant_rails rail WHERE rail.merchant_id = ${merchantId} AND rail.network = ${network.name}) AS enabled
    FROM key_accounts account
    WHERE account.merchant_id = ${merchantId} AND account.network = ${network.name} AND account.role = 'deposit'
    FOR UPDATE`
  if (!account?.enabled) throw await refusal(tx, request)
  if (!request.fresh) {
    // Somebody may have made it while we waited for the lock.
    const existing = await newestAddress(tx, request)
    if (existing) return { address: existing, created: false }
  }
  if (!account.compared) throw notCompared(network)
  const index = account.next_index
  const derived = deriveAddress({ network, xpub: account.xpub, branch: 0, index })
  const [address] = await tx<AddressRow[]>`
    WITH counter AS (
      UPDATE key_accounts SET next_index = ${index} + 1 WHERE id = ${account.id}
    )
    INSERT INTO addresses (id, merchant_id, network, kind, user_reference, label, address, payee, match_key,
                           key_account_id, branch, index, derivation_path)
    VALUES (${newId('addr')}, ${merchantId}, ${network.name}, 'deposit', ${userReference}, ${request.label},
            ${derived.address}, ${Buffer.from(derived.payee, 'hex')}, ${matchKey(derived.payee)},
            ${account.id}, 0, ${index}, ${`${account.path}/${derived.pathSuffix}`})
    RETURNING id, network, kind, user_reference, label, address, key_account_id, derivation_path, created_at`
  if (!address) throw new Error('The address was not stored')
  return { address, created: true }
}

async function newestAddress(tx: Transaction, request: AddressRequest): Promise<AddressRow | undefined> {
  const [row] = await tx<AddressRow[]>`
    SELECT id, network, kind, user_reference, label, address, key_account_id, derivation_path, created_at
    FROM addresses
    WHERE merchant_id = ${request.merchantId} AND user_reference = ${request.userReference}
      AND network = ${request.network.name} AND kind = 'deposit'
    ORDER BY id DESC LIMIT 1`
  return row
}

/** Whether an address could not be given out because its counter was not compared with the chain yet. */
export function isNotCompared(error: KeyturnError): boolean {
  return error.code === 'DEPENDENCY_UNAVAILABLE' && error.details.waits_for === 'address_counter'
}

/** A database that was restored from a backup would give out again what it gave out after the backup. */
function notCompared(network: Network): KeyturnError {
  return new KeyturnError(
    'DEPENDENCY_UNAVAILABLE',
    `New addresses on ${network.name} wait until the chain watcher has compared their counter with the chain, after the database was started; send the same request again, with the same Idempotency-Key`,
    { details: { dependency: network.name, waits_for: 'address_counter' }, retryable: true },
  )
}

async function refusal(tx: Transaction, { merchantId, network }: AddressRequest): Promise<KeyturnError> {
  const rails = await tx`
    SELECT 1 FROM merchant_rails WHERE merchant_id = ${merchantId} AND network = ${network.name} LIMIT 1`
  return rails.length === 0
    ? new KeyturnError(
        'RAIL_NOT_ENABLED',
        `${network.name} is not enabled for this merchant; ask the operator for it`,
        {
          details: { network: network.name },
        },
      )
    : new KeyturnError(
        'NO_SIGNER',
        `No signer has reported a key for ${network.name}; enrol one with "keyturn-signer init" first`,
        { details: { network: network.name } },
      )
}
