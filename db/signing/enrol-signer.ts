/** Enrols a customer's signer: its identity, its accounts, and the wallets derived from them. */

import { deriveAddress } from '../../domain/address/derive-address.js'
import { byFamily } from '../../domain/chain/by-family.js'
import { matchKey } from '../../domain/chain/match-key.js'
import { findNetwork, type Network, type Networks } from '../../domain/chain/network.js'
import {
  type EnrolRequest,
  type EnrolResponse,
  KEY_ROLES,
  type XpubReport,
} from '../../domain/signing/signer-protocol.js'
import { enrolmentError, verifyXpubReport } from '../../domain/signing/verify-xpub-report.js'
import { appendAudit } from '../audit/append-audit.js'
import { inTransaction, type Sql, type Transaction } from '../connect.js'
import { enrolmentTokenHash } from '../merchants/enrolment-token-hash.js'
import { newId } from '../new-id.js'

type Enrolled = Omit<EnrolResponse, 'platform_public_key'>

interface Wallet {
  readonly kind: 'master' | 'hot' | 'gas' | 'change'
  readonly role: 'master' | 'hot' | 'gas'
  readonly branch: 0 | 1
}

/** One address each: treasury on branch 0, and the change of payouts on branch 1 of the master account. */
const WALLETS: readonly Wallet[] = [
  { kind: 'master', role: 'master', branch: 0 },
  { kind: 'hot', role: 'hot', branch: 0 },
  { kind: 'gas', role: 'gas', branch: 0 },
  { kind: 'change', role: 'master', branch: 1 },
]

/**
 * Enrols with a one-time token. The identity that used the token may ask again and gets the same answer.
 *
 * @returns The answer without the platform's key, and whether the signer was enrolled now.
 * @throws KeyturnError `INVALID_ENROLMENT` with `details.reason`: `TOKEN_UNKNOWN`, `TOKEN_EXPIRED`,
 * `TOKEN_USED`, `IDENTITY_IN_USE`, `ALREADY_ENROLLED`, `ROLES_MISSING`, `DUPLICATE_XPUB`, `XPUB_IN_USE`,
 * `FINGERPRINT_MISMATCH` and those of `verifyXpubReport`; `UNSUPPORTED_NETWORK`.
 */
export async function enrolSigner(
  sql: Sql,
  networks: Networks,
  request: EnrolRequest,
): Promise<{ readonly enrolled: Enrolled; readonly created: boolean }> {
  return inTransaction(sql, async (tx) => {
    const [token] = await tx<
      { merchant_id: string; expired: boolean; used_at: Date | null; signer_id: string | null }[]
    >`
      SELECT merchant_id, expires_at < clock_timestamp() AS expired, used_at, signer_id FROM enrolment_tokens
      WHERE token_hash = ${enrolmentTokenHash(request.token)} FOR UPDATE`
    if (!token) throw enrolmentError('TOKEN_UNKNOWN', 'This enrolment token is not known; ask for a new one')
    // Checking many reports is expensive, so it is done only for a caller with a token.
    const reported = checkReports(networks, request)
    const identity = Buffer.from(request.identity_public_key, 'base64')
    if (token.used_at !== null) {
      const enrolled = await findEnrolled(tx, token.signer_id, identity)
      if (enrolled) return { enrolled, created: false }
      throw enrolmentError('TOKEN_USED', 'This enrolment token was used by another signer; ask for a new one')
    }
    if (token.expired)
      throw enrolmentError('TOKEN_EXPIRED', 'This enrolment token has expired; ask for a new one')
    const [known] = await tx`SELECT 1 FROM signers WHERE identity_public_key = ${identity}`
    if (known) throw enrolmentError('IDENTITY_IN_USE', 'This identity is enrolled already; make a new one')
    const signerId = newId('sig')
    await tx`
      INSERT INTO signers (id, merchant_id, name, version, identity_public_key, master_fingerprint, journal_head,
                           journal_sequence, last_seen_at)
      VALUES (${signerId}, ${token.merchant_id}, ${request.name}, ${request.version}, ${identity},
              ${request.xpubs[0]?.master_fingerprint ?? ''}, ${request.journal_head}, ${request.journal_sequence},
              clock_timestamp())`
    for (const [network, reports] of reported)
      await addAccounts(tx, token.merchant_id, signerId, network, reports)
    await tx`
      UPDATE enrolment_tokens SET used_at = clock_timestamp(), signer_id = ${signerId}
      WHERE token_hash = ${enrolmentTokenHash(request.token)}`
    await appendAudit(tx, {
      merchantId: token.merchant_id,
      actor: `signer:${signerId}`,
      action: 'signer.enrolled',
      subject: signerId,
      data: {
        name: request.name,
        version: request.version,
        identity_public_key: request.identity_public_key,
        xpubs: request.xpubs.map(({ network, role, path, xpub }) => ({ network, role, path, xpub })),
      },
    })
    const enrolled = await findEnrolled(tx, signerId, identity)
    if (!enrolled) throw new Error('The signer was not stored')
    return { enrolled, created: true }
  })
}

/** Checks everything that needs no database. */
function checkReports(networks: Networks, request: EnrolRequest): Map<Network, XpubReport[]> {
  const reported = new Map<Network, XpubReport[]>()
  const xpubs = new Set<string>()
  for (const report of request.xpubs) {
    const network = findNetwork(networks, report.network)
    verifyXpubReport(network, report, request.identity_public_key)
    if (report.master_fingerprint !== request.xpubs[0]?.master_fingerprint) {
      throw enrolmentError('FINGERPRINT_MISMATCH', 'All accounts must come from one seed', report)
    }
    const id = `${report.network}\n${report.xpub}`
    if (xpubs.has(id)) throw enrolmentError('DUPLICATE_XPUB', 'Each account needs a key of its own', report)
    xpubs.add(id)
    reported.set(network, [...(reported.get(network) ?? []), report])
  }
  for (const [network, reports] of reported) {
    const missing = KEY_ROLES.filter((role) => !reports.some((each) => each.role === role))
    if (missing.length === 0 && reports.length === KEY_ROLES.length) continue
    throw enrolmentError(
      'ROLES_MISSING',
      `Report each account of ${network.name} once: ${KEY_ROLES.join(', ')}`,
      { network: network.name, role: missing[0] ?? 'deposit' },
    )
  }
  if (reported.size === 0)
    throw enrolmentError('ROLES_MISSING', 'Report the accounts of at least one network')
  return reported
}

async function addAccounts(
  tx: Transaction,
  merchantId: string,
  signerId: string,
  network: Network,
  reports: readonly XpubReport[],
): Promise<void> {
  for (const report of reports) {
    const inserted = await tx`
      INSERT INTO key_accounts (id, merchant_id, signer_id, network, role, path, xpub)
      VALUES (${newId('acc')}, ${merchantId}, ${signerId}, ${network.name}, ${report.role}, ${report.path}, ${report.xpub})
      ON CONFLICT DO NOTHING RETURNING id`
    if (inserted.length > 0) continue
    const [own] = await tx`
      SELECT 1 FROM key_accounts
      WHERE merchant_id = ${merchantId} AND network = ${network.name} AND role = ${report.role}`
    throw own
      ? enrolmentError(
          'ALREADY_ENROLLED',
          `Another signer holds the keys of ${network.name} for this merchant`,
          report,
        )
      : enrolmentError('XPUB_IN_USE', 'This key is registered already', report)
  }
  for (const wallet of WALLETS) await addWallet(tx, merchantId, network, wallet)
}

async function addWallet(
  tx: Transaction,
  merchantId: string,
  network: Network,
  wallet: Wallet,
): Promise<void> {
  const [account] = await tx<{ id: string; path: string; xpub: string }[]>`
    SELECT id, path, xpub FROM key_accounts
    WHERE merchant_id = ${merchantId} AND network = ${network.name} AND role = ${wallet.role}`
  if (!account) throw new Error(`The ${wallet.role} account of ${network.name} is missing`)
  // Accounts of an EVM network have no change: what is not spent stays where it is.
  const hasChange = byFamily(network, { utxo: () => true, evm: () => false })
  if (wallet.kind === 'change' && !hasChange) return
  const derived = deriveAddress({ network, xpub: account.xpub, branch: wallet.branch, index: 0 })
  await tx`
    INSERT INTO addresses (id, merchant_id, network, kind, label, address, payee, match_key, key_account_id, branch, index,
                           derivation_path)
    VALUES (${newId('addr')}, ${merchantId}, ${network.name}, ${wallet.kind}, ${wallet.kind}, ${derived.address},
            ${Buffer.from(derived.payee, 'hex')}, ${matchKey(derived.payee)}, ${account.id}, ${wallet.branch}, 0,
            ${`${account.path}/${derived.pathSuffix}`})`
}

/** Returns the answer that an enrolled signer gets. `null` when the signer has another identity. */
async function findEnrolled(
  tx: Transaction,
  signerId: string | null,
  identity: Buffer,
): Promise<Enrolled | null> {
  const [signer] = await tx<{ id: string; merchant_id: string }[]>`
    SELECT id, merchant_id FROM signers WHERE id = ${signerId} AND identity_public_key = ${identity}`
  if (!signer) return null
  const wallets = await tx<{ network: string; kind: 'master' | 'hot' | 'gas'; address: string }[]>`
    SELECT address.network, address.kind, address.address
    FROM addresses address JOIN key_accounts account ON account.id = address.key_account_id
    WHERE account.signer_id = ${signer.id} AND address.kind IN ('master', 'hot', 'gas') AND address.index = 0
    ORDER BY address.network, address.kind`
  return {
    signer_id: signer.id,
    merchant_id: signer.merchant_id,
    wallets: wallets.map(({ network, kind, address }) => ({ network, kind, address })),
  }
}
