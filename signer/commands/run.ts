/** `run`: serves the platform until a signal stops it. */

import { existsSync } from 'node:fs'
import { createApprovalVerifier } from '../approval-verifier.js'
import { exchange } from '../exchange/exchange.js'
import { connectPlatform } from '../exchange/platform-connection.js'
import { Failure } from '../failure.js'
import { claimHome } from '../home/claim-home.js'
import { type Home, homeAt } from '../home/home.js'
import { type JournalLock, lockHome } from '../home/lock-file.js'
import { openHomeJournal, openHomeKeys } from '../home/open-home.js'
import { readPassphrase } from '../home/read-passphrase.js'
import { requireSealedSignerFile, requireSignerFile } from '../home/signer-file.js'
import { startWitness } from '../home/start-witness.js'
import { witnessPlace } from '../home/witness-place.js'
import type { Journal } from '../journal/journal.js'
import { JournalFailure } from '../journal/journal-failure.js'
import { openWitness } from '../journal/open-witness.js'
import { WitnessMismatch } from '../journal/witness.js'
import { ed25519PublicKey } from '../keys/identity.js'
import { log } from '../log.js'
import { sealedPolicy } from '../policy/seal.js'
import { watchPolicy } from '../policy/watch-policy.js'
import type { SignerState } from '../state.js'
import { SIGNER_VERSION } from '../version.js'
import { type Command, homeOption, readOptions } from './command.js'
import { writeContact } from './contact.js'

const help = `keyturn-signer run --home DIR [options]

Serves the platform: it claims requests, checks each against policy.json and the journal,
and signs or refuses it. It serves nothing while policy.json is not sealed, and accepts no
connections. SIGTERM or SIGINT stops it after the open work, within 5 seconds.

  --home DIR               directory of this signer (also KEYTURN_SIGNER_HOME)
  --platform URL           another address of the same platform; its key stays pinned
  --passphrase-file FILE   else KEYTURN_SIGNER_PASSPHRASE, else asked for

A file named PAUSED in the home stops all signing while it is there.`

/**
 * Time that open work may take once the process is to end. A portion of requests may take two seconds before
 * it sees that.
 */
const STOP_WITHIN_MS = 2_500

/**
 * Requires a seal. A home of an earlier version has a policy that was never sealed, and its operator reviews
 * it first.
 */
function requireSeal(home: Home): void {
  if (sealedPolicy(home) !== null) return
  throw new Failure(
    `The policy in ${home.directory} is not sealed. Review it and seal it: keyturn-signer policy accept --home ${home.directory}`,
  )
}

/** The `run` command. */
export const runCommand: Command = {
  help,
  async run(args) {
    const options = readOptions(args, {
      home: { type: 'string' },
      platform: { type: 'string' },
      'passphrase-file': { type: 'string' },
    })
    const home = homeAt(homeOption(options.home))
    requireSignerFile(home)
    const release = claimHome(home)
    try {
      const { keyring, identity, sealKey } = openHomeKeys(
        home,
        await readPassphrase(options['passphrase-file']),
      )
      requireSeal(home)
      const signer = requireSealedSignerFile(home, sealKey)
      const journalWasThere = existsSync(home.journal)
      const journal = openHomeJournal(home, 'write')
      // Removing the file under a running process does not repair the journal.
      let isLocked = existsSync(home.locked)
      const lock = (why: Omit<JournalLock, 'own'>) => {
        isLocked = true
        if (!lockHome(home, why, journal.position)) return
        log('error', 'Locked: the journal does not hold all that was signed', {
          by: why.by,
          how: why.how,
          known_head: why.known?.head ?? null,
          known_sequence: why.known?.sequence ?? null,
        })
      }
      const started = isLocked
        ? {
            witness: openWitness(
              signer.witness ?? witnessPlace(home, undefined, signer.identity_public_key),
              sealKey,
            ),
            lock: null,
          }
        : await startWitness(home, sealKey, signer, journal, journalWasThere)
      if (started.lock) lock(started.lock)
      const { witness } = started
      if (Date.now() < journal.lastAt) {
        log('warn', 'The clock is behind the last entry of the journal, whose time counts until then', {
          last_entry_at: new Date(journal.lastAt).toISOString(),
        })
      }
      const policyNow = watchPolicy(home, sealKey)
      const approvals = createApprovalVerifier()
      const state = (): SignerState => ({
        signerId: signer.signer_id,
        policy: policyNow(),
        keyring,
        journal,
        witness,
        approvals,
        now: Date.now,
        paused: () => existsSync(home.paused),
        locked: () => isLocked || existsSync(home.locked),
      })
      const stop = new AbortController()
      for (const name of ['SIGTERM', 'SIGINT'] as const) {
        process.once(name, () => {
          stop.abort()
          setTimeout(() => endNow(journal, release), STOP_WITHIN_MS)
        })
      }
      log('info', 'Serving', {
        signer_id: signer.signer_id,
        version: SIGNER_VERSION,
        journal_head: journal.durable.head,
        journal_sequence: journal.durable.sequence,
        torn_bytes: journal.tornBytes,
        paused: existsSync(home.paused),
        locked: existsSync(home.locked),
        witness: witness.place,
      })
      const platform = options.platform ?? signer.platform
      const connection = connectPlatform({
        url: platform,
        platformKey: ed25519PublicKey(signer.platform_public_key),
        identity,
        signerId: signer.signer_id,
      })
      try {
        await exchange({
          connection,
          state,
          signal: stop.signal,
          events: {
            heard: () => writeContact(home),
            lock: (how, known) => lock({ by: 'platform', how, known }),
          },
        })
        journal.sync()
        if (!state().locked()) await witness.write(journal.durable)
      } catch (error) {
        if (error instanceof WitnessMismatch) {
          lock({ by: 'witness', how: 'differs', known: error.known, reason: error.message })
        }
        if (error instanceof JournalFailure)
          log('error', 'Ended: nothing is signed without a journal', { reason: error.message })
        throw error
      }
      endNow(journal, release)
    } finally {
      release()
    }
  },
}

/**
 * Ends the process, also while it waits for something. Decisions are durable, and an answer that has not
 * arrived is given again when its request is claimed again.
 */
function endNow(journal: Journal, release: () => void): never {
  journal.sync()
  journal.close()
  log('info', 'Stopped')
  release()
  process.exit(0)
}
