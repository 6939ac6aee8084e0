/** `init`: makes or restores the seed, enrols at the platform and writes the policy. */

import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { generateMnemonic, mnemonicToSeedSync, validateMnemonic } from '@scure/bip39'
import { wordlist } from '@scure/bip39/wordlists/english.js'
import type { Networks } from '../../domain/chain/network.js'
import { Failure } from '../failure.js'
import { claimHome } from '../home/claim-home.js'
import { type Home, homeAt } from '../home/home.js'
import { openHomeJournal } from '../home/open-home.js'
import { readPassphrase } from '../home/read-passphrase.js'
import { DEFAULT_SCRYPT_N, openKeys, type SignerKeys, sealKeys } from '../home/seal-keys.js'
import { readSignerFile, type SignerFile, writeSignerFile } from '../home/signer-file.js'
import { witnessPlace, witnessWarning } from '../home/witness-place.js'
import { writeFileAtomically } from '../home/write-file-atomically.js'
import { compareWitness } from '../journal/compare-witness.js'
import type { JournalPosition } from '../journal/journal.js'
import { openWitness } from '../journal/open-witness.js'
import { openIdentity } from '../keys/identity.js'
import { openKeyring } from '../keys/keyring.js'
import { reportXpubs } from '../keys/report-xpubs.js'
import { dailyBurn } from '../policy/daily-burn.js'
import { type AssetLimit, defaultPolicy } from '../policy/default-policy.js'
import { compilePolicy } from '../policy/policy.js'
import { policySealKey, sealPolicy } from '../policy/seal.js'
import { type Command, homeOption, printJson, readOptions, requireOption } from './command.js'
import { enrol } from './enrol.js'
import { platformKeyOf } from './enrolment-token.js'
import { loadPolicy } from './export-policy.js'
import { readNetworks } from './read-networks.js'
import { openEnds } from './verify-policy.js'

const help = `keyturn-signer init --platform URL --token TOKEN --home DIR [options]

Makes a seed (24 words) and an identity, seals both on disk, reports the wallets'
extended public keys to the platform and writes policy.json. You can repeat it with the
same token after a lost answer.

  --platform URL           address of the platform, e.g. https://keyturn.example
  --token TOKEN            one-time enrolment token (also KEYTURN_ENROLMENT_TOKEN)
  --home DIR               directory of this signer (also KEYTURN_SIGNER_HOME)
  --name NAME              name that operators see; default: the host's name
  --witness PATH|URL|tpm:INDEX
                           place outside the home that keeps the head of the journal too (also
                           KEYTURN_SIGNER_WITNESS); best a disk or a service of its own, or a
                           free index of this machine's TPM 2.0, such as tpm:0x01804b54
  --restore                read the words of an existing seed from standard input
  --networks FILE          file of the networks; default: the one inside the executable
  --limit NETWORK:COIN:PER_TRANSACTION:DAILY
                           limits in whole coins, "none" for no limit; may be repeated.
                           Other coins have a tight limit, or cannot be paid where their
                           value is not known here
  --passphrase-file FILE   else KEYTURN_SIGNER_PASSPHRASE, else asked for
  --show-mnemonic          show the words once, on a terminal only: write them down
  --insecure-test-scrypt-n N
                           cost of key stretching, for tests only`

const LIMIT = /^([a-z][a-z0-9-]*):([a-z][a-z0-9-]*):(none|[0-9.]+):(none|[0-9.]+)$/

/** The `init` command. */
export const initCommand: Command = {
  help,
  async run(args) {
    const options = readOptions(args, {
      platform: { type: 'string' },
      token: { type: 'string' },
      home: { type: 'string' },
      name: { type: 'string' },
      witness: { type: 'string' },
      restore: { type: 'boolean' },
      networks: { type: 'string' },
      limit: { type: 'string', multiple: true },
      'passphrase-file': { type: 'string' },
      'show-mnemonic': { type: 'boolean' },
      'insecure-test-scrypt-n': { type: 'string' },
    })
    const token = requireOption(options.token ?? process.env.KEYTURN_ENROLMENT_TOKEN, 'token')
    const platform = requireOption(options.platform, 'platform')
    const platformKey = platformKeyOf(token)
    const limits = readLimits(options.limit ?? [])
    const networks = await readNetworks(options.networks)
    if (options['show-mnemonic'] && !process.stdout.isTTY) {
      throw new Failure('--show-mnemonic writes to a terminal only, so that the words end in no file')
    }
    const home = homeAt(homeOption(options.home))
    mkdirSync(home.directory, { recursive: true, mode: 0o700 })
    const release = claimHome(home)
    try {
      const enrolled = readSignerFile(home)
      if (enrolled) {
        if (enrolled.token_hash === hashOf(token)) return report(home, enrolled)
        throw new Failure(
          `${home.directory} is enrolled already as ${enrolled.signer_id}; take another --home`,
        )
      }
      const restored = options.restore ? await readMnemonic() : null
      const passphrase = await readPassphrase(options['passphrase-file'])
      const n = options['insecure-test-scrypt-n']
        ? Number(options['insecure-test-scrypt-n'])
        : DEFAULT_SCRYPT_N
      const keys = keepKeys(home, passphrase, restored, n)
      const file = await enrolHome({
        home,
        keys,
        networks,
        limits,
        platform,
        platformKey,
        token,
        name: options.name ?? hostname(),
        witness: options.witness,
      })
      if (options['show-mnemonic']) process.stdout.write(`\n${keys.mnemonic}\n\n`)
      report(home, file)
      if (!options['show-mnemonic'] && restored === null) process.stderr.write(wordsUnseen(home))
    } finally {
      release()
    }
  },
}

/**
 * Opens the keys of an interrupted `init`, or makes new ones. They are on disk before any other party learns
 * of them.
 */
function keepKeys(home: Home, passphrase: string, restored: string | null, n: number): SignerKeys {
  if (existsSync(home.keys)) {
    const keys = openKeys(readFileSync(home.keys, 'utf8'), passphrase)
    if (restored && restored !== keys.mnemonic) {
      throw new Failure(`${home.directory} holds another seed already; take another --home`)
    }
    return keys
  }
  const keys = { mnemonic: restored ?? generateMnemonic(wordlist, 256), identity: randomBytes(32) }
  writeFileAtomically(home.keys, sealKeys(keys, passphrase, n))
  return keys
}

async function enrolHome(options: {
  readonly home: Home
  readonly keys: SignerKeys
  readonly networks: Networks
  readonly limits: ReadonlyMap<string, AssetLimit>
  readonly platform: string
  readonly platformKey: string
  readonly token: string
  readonly name: string
  readonly witness: string | undefined
}): Promise<SignerFile> {
  const { home, networks, platformKey } = options
  const identity = openIdentity(options.keys.identity)
  const keyring = openKeyring(mnemonicToSeedSync(options.keys.mnemonic))
  const xpubs = reportXpubs(networks, keyring, identity.publicKey)
  const witness = witnessPlace(home, options.witness, identity.publicKey)
  const durable = await setFence(home, witness, policySealKey(options.keys.identity))
  const answer = await enrol({ ...options, identity, keyring, xpubs, journal: durable })
  if (!existsSync(home.policy)) {
    const policy = defaultPolicy({
      merchantId: answer.merchant_id,
      platformPublicKey: platformKey,
      networks,
      limits: options.limits,
    })
    compilePolicy(policy)
    sealPolicy(home, policySealKey(options.keys.identity), `${JSON.stringify(policy, null, 2)}\n`)
  }
  const file: SignerFile = {
    version: 1,
    signer_id: answer.signer_id,
    merchant_id: answer.merchant_id,
    name: options.name,
    platform: options.platform,
    platform_public_key: platformKey,
    identity_public_key: identity.publicKey,
    token_hash: hashOf(options.token),
    enrolled_at: new Date().toISOString(),
    witness,
    xpubs: xpubs.map(({ proof: _proof, ...xpub }) => xpub),
  }
  // This file is written last, because the home counts as enrolled from here on.
  writeSignerFile(home, policySealKey(options.keys.identity), file)
  return file
}

/**
 * Sets the fence. The journal lacks signatures that another home made with this seed, or that stood in a
 * journal that is gone, so an intent that was created before is not new here. The entry is on disk before the
 * platform learns of the signer, so every intent for it comes later. A witness that agrees knows no later
 * time than the journal.
 *
 * @throws Failure when the witness at this place belongs to another journal.
 */
async function setFence(home: Home, place: string, key: Uint8Array): Promise<JournalPosition> {
  const journal = openHomeJournal(home, 'write')
  try {
    const witness = openWitness(place, key)
    const { how } = await compareWitness(witness, journal)
    if (how !== 'agrees' && how !== 'witness_missing') {
      throw new Failure(`The witness ${place} holds the head of another journal; name another with --witness`)
    }
    journal.append({ type: 'enrolled' })
    journal.sync()
    await witness.write(journal.durable)
    return journal.durable
  } finally {
    journal.close()
  }
}

/** Returns the reminder to write down the words. Without them a broken disk is the loss of all coins. */
function wordsUnseen(home: Home): string {
  return `The 24 words of the seed were not shown. Before any coin arrives, write them on paper:
  keyturn-signer show-mnemonic --home ${home.directory}
`
}

function report(home: Home, file: SignerFile): void {
  const policy = loadPolicy(home.policy)
  printJson({
    signer_id: file.signer_id,
    merchant_id: file.merchant_id,
    home: home.directory,
    identity_public_key: file.identity_public_key,
    master_fingerprint: file.xpubs[0]?.master_fingerprint ?? null,
    networks: [...new Set(file.xpubs.map((each) => each.network))],
    policy_hash: policy.hash,
    ...openEnds(policy.file),
    burnable_a_day: dailyBurn(policy.file),
    witness: file.witness ?? null,
  })
  const warning = file.witness === undefined ? null : witnessWarning(home, file.witness)
  if (warning) process.stderr.write(`${warning}\n`)
}

function readLimits(texts: readonly string[]): Map<string, AssetLimit> {
  return new Map(
    texts.map((text): [string, AssetLimit] => {
      const [, network, coin, perTransaction, daily] = LIMIT.exec(text) ?? []
      if (!network || !coin || !perTransaction || !daily) {
        throw new Failure(`--limit ${text} is not NETWORK:COIN:PER_TRANSACTION:DAILY`)
      }
      const limit = (value: string) => (value === 'none' ? null : value)
      return [`${network}:${coin}`, { perTransaction: limit(perTransaction), daily: limit(daily) }]
    }),
  )
}

async function readMnemonic(): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk))
  const mnemonic = Buffer.concat(chunks).toString('utf8').trim().split(/\s+/).join(' ')
  if (!validateMnemonic(mnemonic, wordlist)) {
    throw new Failure(
      'Standard input does not hold the words of a seed (BIP-39, English; a word or the checksum is wrong)',
    )
  }
  return mnemonic
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}
