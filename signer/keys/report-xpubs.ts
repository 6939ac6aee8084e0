/** Reports extended public keys, each with a proof that the signer holds the private key. */

import { createHash } from 'node:crypto'
import { assertNever } from '../../domain/assert-never.js'
import type { Network, Networks } from '../../domain/chain/network.js'
import { KEY_ROLES, type XpubReport, xpubProofMessage } from '../../domain/signing/signer-protocol.js'
import type { Keyring } from './keyring.js'
import { accountPath, formatPath } from './path.js'

/** BIP-32 version bytes of Bitcoin's main network, which EVM wallets use too. */
const MAIN_VERSION = { public: 0x0488b21e, private: 0x0488ade4 }

/**
 * Returns one report for each network and role.
 *
 * @param identityPublicKey - Base64. The proof binds the key to it.
 */
export function reportXpubs(networks: Networks, keyring: Keyring, identityPublicKey: string): XpubReport[] {
  return [...networks.values()].flatMap((network) =>
    KEY_ROLES.map((role): XpubReport => {
      const derivation = { purpose: network.derivation.purpose, coin_type: network.derivation.coinType }
      const path = accountPath(derivation, role)
      const report = {
        network: network.name,
        role,
        path: formatPath(path),
        xpub: keyring.xpub(path, versionOf(network)),
        master_fingerprint: keyring.fingerprint,
      }
      const digest = createHash('sha256').update(xpubProofMessage(report, identityPublicKey)).digest()
      return { ...report, proof: Buffer.from(keyring.sign(path, digest)).toString('base64') }
    }),
  )
}

function versionOf(network: Network): { readonly public: number; readonly private: number } {
  switch (network.family) {
    case 'utxo':
      return network.bip32
    case 'evm':
      return MAIN_VERSION
    default:
      return assertNever(network)
  }
}
