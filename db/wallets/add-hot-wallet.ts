/** Adds a hot wallet: the next key of the extended public key that the signer reported for hot wallets. */

import { deriveAddress } from '../../domain/address/derive-address.js'
import { matchKey } from '../../domain/chain/match-key.js'
import type { Network } from '../../domain/chain/network.js'
import { KeyturnError } from '../../domain/errors.js'
import { appendAudit } from '../audit/append-audit.js'
import type { Transaction } from '../connect.js'
import { newId } from '../new-id.js'
import type { WalletRow } from './list-wallets.js'

/** Most hot wallets. A signer cannot keep more of them busy, and every payout checks each one. */
const MOST = 100

/**
 * Derives and stores the wallet. The signer needs no step, because it derives the key of every index by
 * itself.
 *
 * @throws KeyturnError `NO_SIGNER` before a signer has enrolled, `INVALID_STATE` at the limit.
 */
export async function addHotWallet(
  tx: Transaction,
  request: {
    readonly merchantId: string
    readonly network: Network
    readonly label: string | null
    readonly actor: string
  },
): Promise<Omit<WalletRow, 'balances'>> {
  const { merchantId, network } = request
  // The row of the account is the lock, so two requests never get the same index.
  const [account] = await tx<{ id: string; path: string; xpub: string }[]>`
    SELECT account.id, account.path, account.xpub
    FROM key_accounts account JOIN signers signer ON signer.id = account.signer_id AND signer.revoked_at IS NULL
    WHERE account.merchant_id = ${merchantId} AND account.network = ${network.name} AND account.role = 'hot'
    FOR UPDATE OF account`
  if (!account) {
    throw new KeyturnError(
      'NO_SIGNER',
      `No signer holds keys of ${network.name} for this merchant. Enrol one with keyturn-signer init`,
      { details: { network: network.name } },
    )
  }
  const [last] = await tx<{ index: number; count: number }[]>`
    SELECT coalesce(max(index), -1)::int AS index, count(*)::int AS count FROM addresses
    WHERE key_account_id = ${account.id} AND branch = 0`
  const index = (last?.index ?? -1) + 1
  if ((last?.count ?? 0) >= MOST) {
    throw new KeyturnError(
      'INVALID_STATE',
      `There are already ${MOST} hot wallets, which is the limit. Use those`,
      {
        details: { network: network.name, wallets: MOST },
      },
    )
  }
  const derived = deriveAddress({ network, xpub: account.xpub, branch: 0, index })
  const id = newId('addr')
  const path = `${account.path}/${derived.pathSuffix}`
  await tx`
    INSERT INTO addresses (id, merchant_id, network, kind, label, address, payee, match_key, key_account_id, branch, index,
                           derivation_path)
    VALUES (${id}, ${merchantId}, ${network.name}, 'hot', ${request.label ?? `hot ${index}`}, ${derived.address},
            ${Buffer.from(derived.payee, 'hex')}, ${matchKey(derived.payee)}, ${account.id}, 0, ${index}, ${path})`
  await appendAudit(tx, {
    merchantId,
    actor: request.actor,
    action: 'wallet.created',
    subject: id,
    data: { network: network.name, kind: 'hot', address: derived.address, derivation_path: path },
  })
  return { id, kind: 'hot', network: network.name, address: derived.address }
}
