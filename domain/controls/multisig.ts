/** Decides how many people, and which, must approve a withdrawal. */

import type { Coin } from '../chain/network.js'
import { parseAmount } from '../money.js'
import { FOUR_EYES, QUORUM, type Requirement } from './approval.js'
import { wholeUnits } from './limits.js'
import type { MultisigConfig } from './policy.js'

/** Decimals in which thresholds are compared: more than every coin has, so that the comparison is exact. */
const FINEST_DECIMALS = 36

/** Returns what a withdrawal of `amount` base units needs: two people, or above the threshold what the configuration says. */
export function requiredApprovals(
  config: MultisigConfig,
  withdrawal: { readonly network: string; readonly coin: Coin; readonly amount: bigint },
): Requirement {
  const { network, coin, amount } = withdrawal
  // Rounded down: an amount between two base units is above it.
  const threshold = wholeUnits(thresholdOf(config, network, coin.name), coin.decimals)
  if (!config.enabled || amount <= threshold) return FOUR_EYES
  return {
    count: Math.max(QUORUM, config.required_signatures),
    signers: config.signers.map(({ id, role }) => ({ id, role })),
    roles: config.required_roles,
  }
}

/** Returns whether one configuration is clearly tighter than another. One that is looser in anything, or hard to compare, loosens. */
export function compareMultisig(from: MultisigConfig, to: MultisigConfig): 'tightening' | 'loosening' {
  // Switched off means any two people. Every other configuration asks for at least that.
  if (!from.enabled) return 'tightening'
  if (!to.enabled) return 'loosening'
  const tighter =
    to.required_signatures >= from.required_signatures &&
    thresholdsNotHigher(from, to) &&
    signersNotMore(from, to) &&
    from.required_roles.every((role) => to.required_roles.includes(role))
  return tighter ? 'tightening' : 'loosening'
}

/** Returns the lower-case hex of an Ed25519 key that is written in base64, in hex with `0x`, or as PEM (RFC 8410: its last 32 bytes). */
export function rawKey(text: string): string {
  if (text.startsWith('0x')) return text.slice(2).toLowerCase()
  const pem = /-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----/.exec(text)
  const bytes = Buffer.from(pem?.[1] ?? text, 'base64')
  return (pem ? bytes.subarray(-32) : bytes).toString('hex')
}

function thresholdOf(config: MultisigConfig, network: string, coin: string): string {
  const own = config.threshold_amounts.find((each) => each.network === network && each.coin === coin)
  return own?.amount ?? config.threshold_amount
}

function thresholdsNotHigher(from: MultisigConfig, to: MultisigConfig): boolean {
  const notHigher = (before: string, after: string) =>
    parseAmount(after, FINEST_DECIMALS) <= parseAmount(before, FINEST_DECIMALS)
  return (
    notHigher(from.threshold_amount, to.threshold_amount) &&
    [...from.threshold_amounts, ...to.threshold_amounts].every(({ network, coin }) =>
      notHigher(thresholdOf(from, network, coin), thresholdOf(to, network, coin)),
    )
  )
}

/** Returns whether these are the same people or fewer, each with the same key and role. An empty list means everyone. */
function signersNotMore(from: MultisigConfig, to: MultisigConfig): boolean {
  if (from.signers.length === 0) return true
  if (to.signers.length === 0) return false
  return to.signers.every((signer) =>
    from.signers.some(
      (known) =>
        known.id === signer.id &&
        rawKey(known.public_key) === rawKey(signer.public_key) &&
        known.role === signer.role,
    ),
  )
}
