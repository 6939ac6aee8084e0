/**
 * Says which movements between own wallets need no approval, which wallets may pay them, and where they may
 * go.
 */

import type { KeyRole } from '../domain/signing/signer-protocol.js'
import { parsePath, type WalletPlace, walletPlace } from './keys/path.js'
import type { ParsedRequest } from './parse-request.js'
import type { PolicyNetwork } from './policy/policy.js'
import { treasuryKey } from './policy/treasury-key.js'

/** Facts about a movement's destination. The checks verify them before they count. */
export interface Movement {
  readonly kind: 'consolidation' | 'gas_funding' | 'rebalance'
  /** Path that the platform claims for the destination. `null` without one. */
  readonly path: readonly number[] | null
  /** Wallet key at that path. `null` when it is none. */
  readonly place: WalletPlace | null
  /** Whether the policy names every address that is paid. */
  readonly named: boolean
  /** Whether people must approve it. True only for a movement into the hot wallet, which pays outsiders. */
  readonly needsApproval: boolean
}

/** Reads a request as a movement. @returns `null` for payouts that people approve. */
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

/**
 * Roles that a consolidation may spend from. On UTXO networks the master wallet itself has many outputs to
 * consolidate.
 */
const CONSOLIDATED_ROLES: Readonly<Record<PolicyNetwork['family'], readonly KeyRole[]>> = {
  utxo: ['deposit', 'master'],
  evm: ['deposit'],
}

/**
 * Returns the roles whose keys may pay: the policy's roles for payouts, and roles by kind and direction for
 * movements.
 */
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
