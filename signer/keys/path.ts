/** Reads and writes derivation paths (BIP-32). */

import type { KeyRole } from '../../domain/signing/signer-protocol.js'
import { KEY_ROLES, ROLE_ACCOUNT } from '../../domain/signing/signer-protocol.js'

/** Offset that hardens an index. */
export const HARDENED = 0x8000_0000

const PATH = /^m(?:\/(?:0|[1-9]\d{0,9})'?)+$/

/** Place of a wallet key: `m/purpose'/coin_type'/account'/branch/index`. */
export interface WalletPlace {
  readonly role: KeyRole
  readonly branch: number
  readonly index: number
}

/** Parses `m/84'/1'/0'/0/7`. @returns `null` when the text is not such a path. */
export function parsePath(text: string): number[] | null {
  if (!PATH.test(text)) return null
  const numbers = text
    .split('/')
    .slice(1)
    .map((part) => (part.endsWith("'") ? Number(part.slice(0, -1)) + HARDENED : Number(part)))
  const inRange = text
    .split('/')
    .slice(1)
    .every((part) => Number(part.replace("'", '')) < HARDENED)
  return inRange ? numbers : null
}

/** Formats numbers as `m/84'/1'/0'/0/7`. */
export function formatPath(path: readonly number[]): string {
  return ['m', ...path.map((n) => (n >= HARDENED ? `${n - HARDENED}'` : String(n)))].join('/')
}

/** Returns the account path of a role on a network. */
export function accountPath(
  derivation: { readonly purpose: number; readonly coin_type: number },
  role: KeyRole,
): number[] {
  return [derivation.purpose + HARDENED, derivation.coin_type + HARDENED, ROLE_ACCOUNT[role] + HARDENED]
}

/** Returns the place of a path among the wallet keys of a network. `null` when it has none. */
export function walletPlace(
  path: readonly number[],
  derivation: { readonly purpose: number; readonly coin_type: number },
): WalletPlace | null {
  const [purpose, coinType, account, branch, index] = path
  if (path.length !== 5 || branch === undefined || index === undefined) return null
  if (purpose !== derivation.purpose + HARDENED || coinType !== derivation.coin_type + HARDENED) return null
  if (branch >= HARDENED || index >= HARDENED) return null
  const role = KEY_ROLES.find((each) => ROLE_ACCOUNT[each] + HARDENED === account)
  return role ? { role, branch, index } : null
}
