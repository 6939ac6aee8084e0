/** Verifies an extended public key before the platform derives a single address from it. */

import { sha256 } from '@noble/hashes/sha2.js'
import { utf8ToBytes } from '@noble/hashes/utils.js'
import { BIP32Factory } from 'bip32'
import * as ecc from 'tiny-secp256k1'
import { byFamily } from '../chain/by-family.js'
import type { Network } from '../chain/network.js'
import { KeyturnError } from '../errors.js'
import { ROLE_ACCOUNT, type XpubReport, xpubProofMessage } from './signer-protocol.js'

const bip32 = BIP32Factory(ecc)
const HARDENED = 0x8000_0000
/** Depth of `m / purpose' / coin_type' / account'` (BIP-44). */
const ACCOUNT_DEPTH = 3
const COMPACT_SIGNATURE_BYTES = 64
/** Version bytes of EVM wallets' exported keys: those of Bitcoin's main network. */
const EVM_VERSIONS = { public: 0x0488b21e, private: 0x0488ade4 }

/**
 * Verifies an extended public key: version bytes of its network, depth and account of its role, the path it
 * claims, and the proof by its own private key, bound to the enrolling identity.
 *
 * @param identityPublicKey - Base64, as in the enrolment.
 * @throws KeyturnError `INVALID_ENROLMENT` with `reason`: `PRIVATE_KEY`, `WRONG_VERSION`, `WRONG_PATH`,
 * `MALFORMED`, `PROOF_INVALID`.
 */
export function verifyXpubReport(network: Network, report: XpubReport, identityPublicKey: string): void {
  const key = parse(network, report)
  const { purpose, coinType } = network.derivation
  const account = ROLE_ACCOUNT[report.role]
  const path = `m/${purpose}'/${coinType}'/${account}'`
  if (report.path !== path || key.depth !== ACCOUNT_DEPTH || key.index !== HARDENED + account) {
    throw enrolmentError(
      'WRONG_PATH',
      `The ${report.role} account of ${network.name} belongs at ${path}`,
      report,
    )
  }
  const signature = Buffer.from(report.proof, 'base64')
  const message = sha256(utf8ToBytes(xpubProofMessage(report, identityPublicKey)))
  if (signature.length !== COMPACT_SIGNATURE_BYTES || !proves(message, key.publicKey, signature)) {
    throw enrolmentError(
      'PROOF_INVALID',
      'The proof is not a signature of this report by the key itself for this identity',
      report,
    )
  }
}

/** Returns `INVALID_ENROLMENT` with a machine-readable reason. It never carries a key. */
export function enrolmentError(
  reason: string,
  message: string,
  report?: Pick<XpubReport, 'network' | 'role'>,
): KeyturnError {
  return new KeyturnError('INVALID_ENROLMENT', message, {
    details: { reason, ...(report ? { network: report.network, role: report.role } : {}) },
  })
}

function parse(network: Network, report: XpubReport) {
  const versions = byFamily(network, { utxo: ({ bip32 }) => bip32, evm: () => EVM_VERSIONS })
  // This also finds private keys of other networks, whose sender must hear that the key is private.
  if (/^[a-z]prv/i.test(report.xpub)) {
    throw enrolmentError('PRIVATE_KEY', 'This is a private key; it must never leave the signer', report)
  }
  let key: ReturnType<typeof bip32.fromBase58>
  try {
    key = bip32.fromBase58(report.xpub, {
      messagePrefix: '',
      bech32: '',
      bip32: versions,
      pubKeyHash: 0,
      scriptHash: 0,
      wif: 0,
    })
  } catch (cause) {
    const version = cause instanceof Error && /version/i.test(cause.message)
    throw enrolmentError(
      version ? 'WRONG_VERSION' : 'MALFORMED',
      version
        ? `The extended key has the version bytes of another network than ${network.name}`
        : 'The extended key cannot be read',
      report,
    )
  }
  if (!key.isNeutered()) {
    throw enrolmentError('PRIVATE_KEY', 'This is a private key; it must never leave the signer', report)
  }
  return key
}

function proves(message: Uint8Array, publicKey: Uint8Array, signature: Uint8Array): boolean {
  try {
    return ecc.verify(message, publicKey, signature)
  } catch {
    return false
  }
}
