/** Movements between the own wallets: which need no person, who may pay them, and where they may go. */

import type { KeyRole } from '../domain/signing/signer-protocol.js'
import { parsePath, type WalletPlace, walletPlace } from './keys/path.js'
import type { ParsedRequest } from './parse-request.js'
import type { PolicyNetwork } from './policy/policy.js'

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

/** How addresses of the policy are compared: EVM addresses in whatever case, others exactly. */
export function treasuryKey(address: string): string {
  return address.startsWith('0x') ? address.toLowerCase() : address
}

/** Whose keys may pay what is asked: the policy's roles for payments, by kind and direction for movements. */
export function payingRoles(movement: Movement | null, network: PolicyNetwork): readonly KeyRole[] {
  switch (movement?.kind) {
    case undefined:
      return network.payingRoles
    case 'consolidation':
      // Many outputs are gathered into one, and the master wallet has some of them.
      return network.family === 'utxo' ? ['deposit', 'master'] : ['deposit']
    case 'gas_funding':
      return ['gas']
    case 'rebalance':
      return movement.needsApproval ? ['master'] : ['hot']
  }
}

/** The names under which the journal counts what movements cost, and what gas funding gives away. */
export const budgetKeys = (caip2: string) => ({ fees: `${caip2}/movement-fees`, gas: `${caip2}/gas-funding` })

/** The name under which the journal counts the movements of a kind that it began with. */
export const countKey = (caip2: string, kind: Movement['kind']) => `${caip2}/movements/${kind}`

/** The name under which the journal counts what cancelling costs. */
export const cancelKey = (caip2: string) => `${caip2}/cancelling`
