/** Movements between the own wallets: which need no person, who may pay them, and where they may go. */

import type { KeyRole } from '../domain/signing/signer-protocol.js'
import { parsePath, type WalletPlace, walletPlace } from './keys/path.js'
import type { ParsedRequest } from './parse-request.js'
import type { PolicyNetwork } from './policy/policy.js'
import { treasuryKey } from './policy/treasury-key.js'

/** What the signer found out about a movement's destination; nothing of it is believed before the checks have looked. */
export interface Movement {
  readonly kind: 'consolidation' | 'gas_funding' | 'rebalance'
  /** The path that the platform claims for the destination; null without one. */
  readonly path: readonly number[] | null
  /** Which wallet key that path is; null when it is none. */
  readonly place: WalletPlace | null
  /** Whether the policy names every address that is paid. */
  readonly named: boolean
  /** Only what fills a hot wallet: it takes coins nearer to the street. Everything else goes the other way, or is gas. */
  readonly needsApproval: boolean
}

/** Reads a request as a movement. @returns Null for payments, which people approve. */
export function movementOf(request: ParsedRequest, network: PolicyNetwork | undefined): Movement | null {
  const { kind, outputs } = request.intent
  if (kind === 'withdrawal' || kind === 'batch') return null
  const path = request.destination_path === undefined ? null : parsePath(request.destination_path)
  const place = path && network ? walletPlace(path, network.derivation) : null
  const treasury = network?.movements?.treasury
  const named = treasury !== undefined && outputs.every((each) => treasury.has(treasuryKey(each.address)))
  const needsApproval = kind === 'rebalance' && !named && place?.role !== 'master'
  return { kind, path, place, named, needsApproval }
}

/** On UTXO networks many outputs become one, and the master wallet has some of them. */
const CONSOLIDATED_ROLES: Readonly<Record<PolicyNetwork['family'], readonly KeyRole[]>> = {
  utxo: ['deposit', 'master'],
  evm: ['deposit'],
}

/** Whose keys may pay what is asked: the policy's roles for payments, by kind and direction for movements. */
export function payingRoles(movement: Movement | null, network: PolicyNetwork): readonly KeyRole[] {
  switch (movement?.kind) {
    case undefined:
      return network.payingRoles
    case 'consolidation':
      return CONSOLIDATED_ROLES[network.family]
    case 'gas_funding':
      return ['gas']
    case 'rebalance':
      return movement.needsApproval ? ['master'] : ['hot']
  }
}
