/** Enrols at the platform (`POST /signer/v1/enrol`), until there is an answer that the signer can believe. */

import { setTimeout as pause } from 'node:timers/promises'
import { z } from 'zod'
import { assertNever } from '../../domain/assert-never.js'
import type { Network, Networks } from '../../domain/chain/network.js'
import {
  type EnrolRequest,
  type KeyRole,
  ROLE_ACCOUNT,
  type XpubReport,
} from '../../domain/signing/signer-protocol.js'
import { visibleText } from '../../domain/visible-text.js'
import { evmAddress } from '../evm/evm-address.js'
import { connectPlatform, PlatformUnavailable } from '../exchange/platform-connection.js'
import { Failure } from '../failure.js'
import type { JournalPosition } from '../journal/journal.js'
import { ed25519PublicKey, type Identity } from '../keys/identity.js'
import type { Keyring } from '../keys/keyring.js'
import { HARDENED } from '../keys/path.js'
import { isSignable } from '../policy/default-policy.js'
import { p2wpkhAddress } from '../utxo/address-script.js'
import { cashAddress } from '../utxo/cash-address.js'
import { SIGNER_VERSION } from '../version.js'

const ATTEMPTS = 6
const FIRST_PAUSE_MS = 250
const TIMEOUT_MS = 30_000

const answerSchema = z.object({
  signer_id: z.string().min(1),
  merchant_id: z.string().min(1),
  platform_public_key: z.string(),
  wallets: z.array(
    z.object({ network: z.string(), kind: z.enum(['master', 'hot', 'gas']), address: z.string() }),
  ),
})
const errorSchema = z.object({ error: z.object({ code: z.string(), message: z.string() }) })

/**
 * Enrols. The platform accepts a token again from the same identity, so the signer repeats the call after a
 * lost answer.
 *
 * @throws Failure when the platform refuses, is not the one that the token pins, or names wallets of another
 * seed.
 */
export async function enrol(options: {
  readonly platform: string
  /** Platform's key in base64, from the token. */
  readonly platformKey: string
  readonly token: string
  readonly name: string
  readonly identity: Identity
  readonly keyring: Keyring
  readonly xpubs: readonly XpubReport[]
  readonly journal: JournalPosition
  readonly networks: Networks
}): Promise<z.infer<typeof answerSchema>> {
  const connection = connectPlatform({
    url: options.platform,
    platformKey: ed25519PublicKey(options.platformKey),
    identity: options.identity,
  })
  const request: EnrolRequest = {
    token: options.token,
    identity_public_key: options.identity.publicKey,
    name: options.name,
    version: SIGNER_VERSION,
    xpubs: options.xpubs,
    journal_head: options.journal.head,
    journal_sequence: options.journal.sequence,
  }
  const answer = await post(connection, request)
  const parsed = answerSchema.safeParse(answer)
  if (!parsed.success) throw new Failure("The platform's answer to the enrolment has another form")
  if (parsed.data.platform_public_key !== options.platformKey) {
    throw new Failure('The platform names another key than the token pins; do not trust either')
  }
  for (const wallet of parsed.data.wallets) checkWallet(wallet, options.networks, options.keyring)
  return parsed.data
}

async function post(connection: ReturnType<typeof connectPlatform>, request: EnrolRequest): Promise<unknown> {
  for (let attempt = 1; ; attempt++) {
    try {
      const { status, body } = await connection.post('/signer/v1/enrol', request, { timeoutMs: TIMEOUT_MS })
      if (status < 300) return body
      const error = errorSchema.safeParse(body)
      const reason = error.success
        ? visibleText(`${error.data.error.code}: ${error.data.error.message}`)
        : `HTTP ${status}`
      if (status < 500) throw new Failure(`The platform refuses the enrolment: ${reason}`)
      throw new PlatformUnavailable(reason)
    } catch (error) {
      if (!(error instanceof PlatformUnavailable)) throw error
      if (attempt >= ATTEMPTS) {
        throw new Failure(`${error.message}. Nothing is lost: run the same init again`, { cause: error })
      }
      await pause(FIRST_PAUSE_MS * 2 ** (attempt - 1))
    }
  }
}

/**
 * Checks that a wallet's address belongs to this seed. Coins at another address would be lost to the
 * customer.
 */
function checkWallet(
  wallet: { readonly network: string; readonly kind: KeyRole; readonly address: string },
  networks: Networks,
  keyring: Keyring,
): void {
  const network = networks.get(wallet.network)
  if (!network)
    throw new Failure(
      `The platform names a wallet on ${visibleText(wallet.network)}, which is not enabled here`,
    )
  // The signer cannot pay from other kinds of addresses yet, so only the platform derives them.
  if (!isSignable(network)) return
  const { purpose, coinType } = network.derivation
  const { publicKey, keyHash } = keyring.at([
    purpose + HARDENED,
    coinType + HARDENED,
    ROLE_ACCOUNT[wallet.kind] + HARDENED,
    0,
    0,
  ])
  const own = ownAddress(network, publicKey, keyHash)
  if (own !== wallet.address.toLowerCase()) {
    throw new Failure(
      `The platform shows ${visibleText(wallet.address)} as ${wallet.kind} wallet on ${wallet.network}; it is ${own}`,
    )
  }
}

function ownAddress(network: Network, publicKey: Uint8Array, keyHash: Uint8Array): string {
  switch (network.family) {
    case 'evm':
      return evmAddress(publicKey)
    case 'utxo': {
      const { bech32, cashaddr, pubKeyHash, scriptHash } = network.address
      return cashaddr === null
        ? p2wpkhAddress(keyHash, { bech32, pub_key_hash: pubKeyHash, script_hash: scriptHash })
        : cashAddress(keyHash, cashaddr)
    }
    default:
      return assertNever(network)
  }
}
