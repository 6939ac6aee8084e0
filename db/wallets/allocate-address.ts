/** Assigns a user's deposit address: the existing one, or the next of the merchant's extended public key. */

import { deriveAddress } from '../../domain/address/derive-address.js'
import { matchKey } from '../../domain/chain/match-key.js'
import type { Network } from '../../domain/chain/network.js'
import { KeyturnError } from '../../domain/errors.js'
import type { Transaction } from '../connect.js'
import { merchantSuspended } from '../merchants/merchant-suspended.js'
import { newId } from '../new-id.js'
import type { AddressRow } from './list-addresses.js'

export interface AddressRequest {
  readonly merchantId: string
  readonly network: Network
  readonly userReference: string
  readonly label: string | null
  /** Whether the user gets another address although one exists. */
  readonly fresh: boolean
  /** Whether it is issued for a payment with an amount, so that it never becomes the user's own address. */
  readonly forPayment?: boolean
}

/**
 * Finds or creates the address. The row of the key account is the only source of indexes and is locked while
 * one is taken, so two requests never share an index, and two first requests of one user get the same
 * address.
 *
 * @throws KeyturnError `MERCHANT_SUSPENDED`, `RAIL_NOT_ENABLED` if the merchant does not use the network,
 * `NO_SIGNER` before its signer has enrolled, `DEPENDENCY_UNAVAILABLE` (retryable) while the counter is
 * compared with the chain after a start of the database.
 */
export async function allocateAddress(
  tx: Transaction,
  request: AddressRequest,
): Promise<{ readonly address: AddressRow; readonly created: boolean }> {
  const { merchantId, network, userReference } = request
  await requireNetwork(tx, request)
  if (!request.fresh) {
    const existing = await newestAddress(tx, request)
    if (existing) return { address: existing, created: false }
  }
  const [account] = await tx<
    { id: string; path: string; xpub: string; next_index: number; compared: boolean }[]
  >`
    SELECT account.id, account.path, account.xpub, account.next_index,
           account.counter_compared IS NOT DISTINCT FROM database_incarnation() AS compared
    FROM key_accounts account
    WHERE account.merchant_id = ${merchantId} AND account.network = ${network.name} AND account.role = 'deposit'
    FOR UPDATE`
  if (!account) throw noSigner(network)
  if (!request.fresh) {
    // Another request may have created it while this one waited for the lock.
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
                           key_account_id, branch, index, derivation_path, for_payment)
    VALUES (${newId('addr')}, ${merchantId}, ${network.name}, 'deposit', ${userReference}, ${request.label},
            ${derived.address}, ${Buffer.from(derived.payee, 'hex')}, ${matchKey(derived.payee)},
            ${account.id}, 0, ${index}, ${`${account.path}/${derived.pathSuffix}`}, ${request.forPayment ?? false})
    RETURNING id, network, kind, user_reference, label, address, key_account_id, derivation_path, created_at`
  if (!address) throw new Error('The address was not stored')
  return { address, created: true }
}

async function newestAddress(tx: Transaction, request: AddressRequest): Promise<AddressRow | undefined> {
  const [row] = await tx<AddressRow[]>`
    SELECT id, network, kind, user_reference, label, address, key_account_id, derivation_path, created_at
    FROM addresses
    WHERE merchant_id = ${request.merchantId} AND user_reference = ${request.userReference}
      AND network = ${request.network.name} AND kind = 'deposit' AND NOT for_payment
    ORDER BY id DESC LIMIT 1`
  return row
}

/** Returns whether an address was refused because its counter is not yet compared with the chain. */
export function isNotCompared(error: KeyturnError): boolean {
  return error.code === 'DEPENDENCY_UNAVAILABLE' && error.details.waits_for === 'address_counter'
}

/**
 * Creates the error for a counter that is not compared. A database restored from a backup would otherwise
 * assign the addresses again that it had assigned after the backup.
 */
function notCompared(network: Network): KeyturnError {
  return new KeyturnError(
    'DEPENDENCY_UNAVAILABLE',
    `The database was started, so new addresses on ${network.name} wait until the chain watcher has compared their counter with the chain. Send the same request again, with the same Idempotency-Key`,
    { details: { dependency: network.name, waits_for: 'address_counter' }, retryable: true },
  )
}

/** @throws KeyturnError `MERCHANT_SUSPENDED`, `RAIL_NOT_ENABLED`. */
async function requireNetwork(tx: Transaction, { merchantId, network }: AddressRequest): Promise<void> {
  const [merchant] = await tx<{ suspended: boolean; enabled: boolean }[]>`
    SELECT status = 'suspended' AS suspended,
           EXISTS (SELECT FROM merchant_rails rail
                   WHERE rail.merchant_id = ${merchantId} AND rail.network = ${network.name}) AS enabled
    FROM merchants WHERE id = ${merchantId}`
  if (merchant?.suspended) throw await merchantSuspended(tx, merchantId)
  if (merchant?.enabled) return
  throw new KeyturnError(
    'RAIL_NOT_ENABLED',
    `${network.name} is not enabled for this merchant. Ask the operator to enable it`,
    { details: { network: network.name } },
  )
}

function noSigner({ name }: Network): KeyturnError {
  return new KeyturnError(
    'NO_SIGNER',
    `No signer has reported a key for ${name}. Enrol one with "keyturn-signer init" first`,
    { details: { network: name } },
  )
}
