/** Opens the keys and the journal of a home. */

import { existsSync, readFileSync } from 'node:fs'
import { mnemonicToSeedSync } from '@scure/bip39'
import { Failure } from '../failure.js'
import { Journal } from '../journal/journal.js'
import { openFileStore } from '../journal/journal-store.js'
import { type Identity, openIdentity } from '../keys/identity.js'
import { type Keyring, openKeyring } from '../keys/keyring.js'
import { policySealKey } from '../policy/seal.js'
import type { Home } from './home.js'
import { openKeys } from './seal-keys.js'

/** Opens the key file. @throws Failure when there is none, or the passphrase is wrong. */
export function openHomeKeys(
  home: Home,
  passphrase: string,
): { readonly keyring: Keyring; readonly identity: Identity; readonly sealKey: Buffer } {
  if (!existsSync(home.keys))
    throw new Failure(`${home.directory} holds no keys; run keyturn-signer init first`)
  const keys = openKeys(readFileSync(home.keys, 'utf8'), passphrase)
  return {
    keyring: openKeyring(mnemonicToSeedSync(keys.mnemonic)),
    identity: openIdentity(keys.identity),
    sealKey: policySealKey(keys.identity),
  }
}

/** Opens the journal. @throws Failure when it is damaged. */
export function openHomeJournal(home: Home, mode: 'read' | 'write'): Journal {
  if (mode === 'read' && !existsSync(home.journal)) throw new Failure(`${home.journal} is missing`)
  try {
    return new Journal(openFileStore(home.journal), Date.now, mode)
  } catch (error) {
    throw new Failure(error instanceof Error ? error.message : 'The journal cannot be read', { cause: error })
  }
}
