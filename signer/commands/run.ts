/** `run`: serves the platform until it is told to stop. */

import { existsSync } from 'node:fs'
import { createApprovalVerifier } from '../approval-verifier.js'
import { exchange } from '../exchange/exchange.js'
import { connectPlatform } from '../exchange/platform-connection.js'
import { Failure } from '../failure.js'
import { claimHome } from '../home/claim-home.js'
import { type Home, homeAt } from '../home/home.js'
import { openHomeJournal, openHomeKeys } from '../home/open-home.js'
import { readPassphrase } from '../home/read-passphrase.js'
import { requireSignerFile } from '../home/signer-file.js'
import { writeFileAtomically } from '../home/write-file-atomically.js'
import { ed25519PublicKey } from '../keys/identity.js'
import { log } from '../log.js'
import { sealedPolicy } from '../policy/seal.js'
import { watchPolicy } from '../policy/watch-policy.js'
import type { SignerState } from '../state.js'
import { SIGNER_VERSION } from '../version.js'
import { type Command, homeOption, readOptions } from './command.js'
import { writeContact } from './contact.js'

const help = `keyturn-signer run --home DIR [options]

Serves the platform: claims requests, checks each against policy.json and the journal,
signs or refuses. Serves nothing while policy.json is not sealed. Dials out only. Stops on SIGTERM or SIGINT after what is under way.

  --home DIR               directory of this signer (also KEYTURN_SIGNER_HOME)
  --platform URL           another address of the same platform; its key stays pinned
  --passphrase-file FILE   else KEYTURN_SIGNER_PASSPHRASE, else asked for

A file named PAUSED in the home stops all signing while it is there.`

/** A home of an earlier version has a policy that was never sealed: its operator looks at it first. */
function requireSeal(home: Home): void {
  if (sealedPolicy(home) !== null) return
  throw new Failure(
    `The policy in ${home.directory} is not sealed. Look at it and seal it: keyturn-signer policy accept --home ${home.directory}`,
  )
}

/** The command. */
export const runCommand: Command = {
  help,
  async run(args) {
    const options = readOptions(args, {
      home: { type: 'string' },
      platform: { type: 'string' },
      'passphrase-file': { type: 'string' },
    })
    const home = homeAt(homeOption(options.home))
    const signer = requireSignerFile(home)
    const release = claimHome(home)
    try {
      const { keyring, identity, sealKey } = openHomeKeys(
        home,
        await readPassphrase(options['passphrase-file']),
      )
      requireSeal(home)
      const journal = openHomeJournal(home, 'write')
      const policyNow = watchPolicy(home, sealKey)
      const approvals = createApprovalVerifier()
      const state = (): SignerState => ({
        policy: policyNow(),
        keyring,
        journal,
        approvals,
        now: Date.now,
        paused: () => existsSync(home.paused),
        locked: () => existsSync(home.locked),
      })
      const stop = new AbortController()
      for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort())
      log('info', 'Serving', {
        signer_id: signer.signer_id,
        version: SIGNER_VERSION,
        journal_head: journal.durable.head,
        journal_sequence: journal.durable.sequence,
        torn_bytes: journal.tornBytes,
        paused: existsSync(home.paused),
        locked: existsSync(home.locked),
      })
      const platform = options.platform ?? signer.platform
      const connection = connectPlatform({
        url: platform,
        platformKey: ed25519PublicKey(signer.platform_public_key),
        identity,
        signerId: signer.signer_id,
      })
      await exchange({
        connection,
        state,
        signal: stop.signal,
        events: {
          heard: () => writeContact(home),
          lock: (how, known) => {
            if (existsSync(home.locked)) return
            const own = { head: journal.position.head, sequence: journal.position.sequence }
            writeFileAtomically(home.locked, `${JSON.stringify({ how, known, own }, null, 2)}\n`)
            log('error', 'Locked: the journal is not the one that the platform last saw', {
              how,
              known_head: known.head,
              known_sequence: known.sequence,
            })
          },
        },
      })
      journal.sync()
      journal.close()
      log('info', 'Stopped')
    } finally {
      release()
    }
  },
}
