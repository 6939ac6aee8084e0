/** Writes events of the version 2026-11-28 in the version 2026-11-01. */

import type { DownConversion } from './down-conversion.js'

/**
 * Leaves out what 2026-11-28 added: the decision about a held deposit, the transfer of a balance, and the version
 * in a test event. A balance without an address, which 2026-11-01 did not have, gets an empty one. Types of
 * events that 2026-11-28 added have one form.
 */
export const toVersion1: DownConversion = {
  'deposit.status_changed': ({ decision: _decision, ...deposit }) => deposit,
  'balance.updated': ({ transfer_id: _transfer, ...balance }) => ({
    ...balance,
    address_id: balance.address_id ?? '',
    address: balance.address ?? '',
  }),
  'webhook.test': ({ schema_version: _version, ...tested }) => tested,
}
