/**
 * Simulates two signers of one merchant, their disks and witnesses, an operator, and a compromised platform.
 */

import type { SigningAnswer, SigningRequest } from '../../../domain/signing/signer-protocol.js'
import { serveOnce } from '../../../signer/exchange/exchange.js'
import { type PlatformConnection, PlatformUnavailable } from '../../../signer/exchange/platform-connection.js'
import { acceptLost, findLoss } from '../../../signer/journal/accept-lost.js'
import { compareWitness } from '../../../signer/journal/compare-witness.js'
import type { JournalPosition } from '../../../signer/journal/journal.js'
import { JournalFailure } from '../../../signer/journal/journal-failure.js'
import { type TpmRecord, tpmKeys } from '../../../signer/journal/tpm-record.js'
import type { Witness } from '../../../signer/journal/witness.js'
import { openTpmWitness } from '../../../signer/journal/witness-tpm.js'
import type { PolicyFile } from '../../../signer/policy/policy.js'
import type { SignerState } from '../../../signer/state.js'
import { extended, type NvIndex } from '../../../signer/tpm/nv-index.js'
import { HOUR, MINUTE, makeState, NOW } from '../fixture.js'
import { movementPolicy } from '../movements-fixture.js'
import {
  type Crowd,
  type Form,
  type IntentPlan,
  type MadeIntent,
  makeIntent,
  makeRequest,
  type PayloadPlan,
  SIGNERS,
  type SignerIndex,
} from './build-request.js'
import { type Content, Disk, type Fault } from './disk.js'
import { type Limits, Model, requireExclusion } from './model.js'

/** Plan of one request of a claim. */
export interface AskPlan {
  /** Subject: a new intent, an earlier one with another payload, or an earlier request. */
  readonly what: 'new' | 'other_payload' | 'more_fee' | 'again'
  readonly pick: number
  /** Whether the request may be for the other signer, or an earlier one to it. */
  readonly anyones: boolean
  readonly intent: Omit<IntentPlan, 'signer' | 'form'> & { readonly form: number }
  readonly payload: PayloadPlan
  readonly crowd: Crowd
}

export type Act =
  | {
      readonly act: 'ask'
      readonly to: SignerIndex
      readonly asks: readonly AskPlan[]
      /** Claim of the platform about the journal: it repeats what it hears, or lies. */
      readonly known: 'echo' | 'false' | 'far'
      readonly fault: Fault | null
      readonly witness: 'works' | 'fails before' | 'fails after'
      /** Share of the bytes without a sync that are there after a fault. */
      readonly kept: number
    }
  | { readonly act: 'wait'; readonly minutes: number }
  | { readonly act: 'clock'; readonly hoursBack: number }
  | { readonly act: 'kill'; readonly to: SignerIndex; readonly kept: number }
  | { readonly act: 'copy'; readonly to: SignerIndex }
  | {
      readonly act: 'restore'
      readonly to: SignerIndex
      readonly pick: number
      /** What is taken back: the disk of the home, the file beside a TPM, or both. */
      readonly parts: 'both' | 'home' | 'file'
    }
  | { readonly act: 'unlock'; readonly to: SignerIndex }
  /**
   * Restores an old copy, finds the loss and accepts it at once, with a clock that may be behind for that
   * moment.
   */
  | { readonly act: 'lose'; readonly to: SignerIndex; readonly pick: number; readonly hoursBack: number }

const LIMITS: Limits = {
  eth: 2n * 10n ** 18n,
  usdt: 150_000_000n,
  btc: 60_000_000n,
  'eip155:31337 fees': 5n * 10n ** 15n,
  'eip155:31337 gas': 4n * 10n ** 15n,
  'eip155:31337 cancel': 3n * 10n ** 15n,
  'bip122:0f9188f13cb7b2c71f2a335e3a4fc328 fees': 7_000n,
  'bip122:0f9188f13cb7b2c71f2a335e3a4fc328 cancel': 7_000n,
}

function policyOfTheRun(file: PolicyFile): void {
  movementPolicy(file)
  file.allowed_kinds.push('batch')
  const { ethereum, bitcoin } = file.networks
  Object.assign(ethereum?.assets.eth ?? {}, { per_transaction: '1.5', daily: '2' })
  Object.assign(ethereum?.assets.usdt ?? {}, { per_transaction: '75', daily: '150' })
  Object.assign(bitcoin?.assets.btc ?? {}, { per_transaction: '0.3', daily: '0.6' })
  Object.assign(ethereum ?? {}, {
    movements: {
      daily_fee: '0.005',
      gas_funding: { per_transaction: '0.003', daily: '0.004' },
      treasury: [],
    },
    cancel: { max_fee: '0.002', daily_fees: '0.003' },
  })
  Object.assign(bitcoin ?? {}, {
    movements: { daily_fee: '0.00007', gas_funding: { per_transaction: '0', daily: '0' }, treasury: [] },
    cancel: { max_fee: '0.00005', daily_fees: '0.00007' },
  })
}

/** Copy of all that a person can take back. */
interface Copy {
  readonly content: Content
  readonly record: TpmRecord | null
}

/** A signer with its disk and its witness. */
class Home {
  readonly index: SignerIndex
  readonly disk: Disk
  readonly model: Model
  readonly #copies: Copy[] = []
  readonly #now: () => number
  #running: SignerState | null = null
  /** Position in a witness on another machine, which nothing takes back. */
  #known: JournalPosition | null = null
  /** Value of a TPM, which nothing takes back, and the file beside it, which is taken back with the disk. */
  #value: Buffer | null = null
  #record: TpmRecord | null = null
  readonly #kind: Setting['witness']
  /** Witness of the process that runs now. */
  witness: Witness
  /** Position that the platform claimed, or that the witness held, when the signer locked itself. */
  #lock: { readonly known: JournalPosition | null } | null = null
  /** Whether the disk holds the last write of this signer. */
  #isOwn = true
  witnessFault: Extract<Act, { act: 'ask' }>['witness'] = 'works'

  constructor(index: SignerIndex, now: () => number, kind: Setting['witness']) {
    this.index = index
    this.#kind = kind
    this.witness = this.#openWitness()
    this.#now = now
    this.disk = new Disk(now)
    this.model = new Model(SIGNERS[index].id, SIGNERS[index].keys, LIMITS)
  }

  get isLocked(): boolean {
    return this.#lock !== null
  }

  #openWitness(): Witness {
    return this.#kind === 'tpm' ? this.#openTpm() : this.#openElsewhere()
  }

  #openElsewhere(): Witness {
    return {
      place: 'memory',
      read: async () => this.#known,
      write: (position) =>
        this.#withFault(() => {
          this.#known = position
        }),
    }
  }

  #openTpm(): Witness {
    const index: NvIndex = {
      read: async () => (this.#value ? { how: 'written', value: this.#value } : { how: 'unwritten' }),
      extend: (data) =>
        this.#withFault(() => {
          this.#value = extended(this.#value ?? Buffer.alloc(32), data)
          return this.#value
        }),
      define: async () => {},
      undefine: async () => {},
    }
    const records = {
      read: () => this.#record,
      write: (record: TpmRecord) => {
        this.#record = record
      },
    }
    return openTpmWitness('tpm', index, records, tpmKeys(Buffer.alloc(32)))
  }

  async #withFault<T>(write: () => T): Promise<T> {
    if (this.witnessFault === 'fails before') throw new JournalFailure('The witness failed')
    const written = write()
    if (this.witnessFault === 'fails after') throw new JournalFailure('The witness failed')
    return written
  }

  copy(): void {
    this.#copies.push({ content: this.disk.copy(), record: this.#record })
  }

  /** Enrols as `init` does. */
  async enrol(): Promise<void> {
    const { journal } = this.#open()
    journal.append({ type: 'enrolled' })
    journal.sync()
    await this.witness.write(journal.durable)
    this.copy()
  }

  /** Starts as `run` does. */
  async start(): Promise<SignerState> {
    if (this.#running) return this.#running
    const state = this.#open()
    const { how, known } = await compareWitness(this.witness, state.journal)
    if (how !== 'agrees') {
      if (this.#isOwn) throw new Error(`A signer with its own journal is locked: ${how}`)
      this.#lock ??= { known }
    } else if (!this.isLocked) {
      state.journal.sync()
      await this.witness.write(state.journal.durable)
    }
    this.#running = state
    return state
  }

  lock(known: JournalPosition): void {
    this.#lock ??= { known }
  }

  kill(kept: number): void {
    this.#running = null
    this.disk.cut(kept)
  }

  /** Puts a copy back, or a part of it. The first copy is that of the enrolment. */
  restore(pick: number, parts: Extract<Act, { act: 'restore' }>['parts'] = 'both'): void {
    const copy = this.#copies[pick % this.#copies.length]
    if (!copy) throw new Error('A home has a copy from the start')
    this.#running = null
    if (parts !== 'file') this.disk.putBack(copy.content)
    if (parts !== 'home') this.#record = copy.record
    this.#isOwn = false
  }

  /** Accepts a loss as `unlock` does, under any clock. */
  async unlock(): Promise<void> {
    if (!this.#lock) return
    this.#running = null
    const { journal } = this.#open()
    const { known } = await compareWitness(this.witness, journal)
    acceptLost(journal, findLoss(journal, [this.#lock.known, known], known === null))
    journal.sync()
    await this.witness.write(journal.durable)
    this.#lock = null
    this.#isOwn = true
    this.model.accept(this.disk.marks)
  }

  #open(): SignerState {
    const { id, keys } = SIGNERS[this.index]
    this.witness = this.#openWitness()
    const made = makeState({
      signerId: id,
      store: this.disk,
      witness: this.witness,
      now: this.#now,
      policy: policyOfTheRun,
    })
    return { ...made, keyring: keys, locked: () => this.isLocked }
  }
}

/** Counts of a run, so that a test can check that there was activity. */
export interface Tally {
  signed: number
  refused: number
  faults: number
  locks: number
}

/** Setting of a run. It has few forms and nonces, so that they meet. */
export interface Setting {
  readonly forms: readonly Form[]
  readonly nonces: number
  /** Witness of both signers. A restored disk takes the file beside a TPM back too. */
  readonly witness: 'elsewhere' | 'tpm'
}

export class World {
  readonly #forms: readonly Form[]
  readonly #nonces: number
  readonly #witness: Setting['witness']
  #true = NOW - HOUR
  #back = 0
  #claim = 0
  readonly #made: MadeIntent[] = []
  readonly #requests: {
    readonly request: SigningRequest
    readonly made: MadeIntent
    readonly plan: PayloadPlan
    readonly to: SignerIndex
  }[] = []
  readonly #homes: readonly [Home, Home]
  readonly tally: Tally = { signed: 0, refused: 0, faults: 0, locks: 0 }

  constructor({ forms, nonces, witness }: Setting) {
    this.#forms = forms
    this.#witness = witness
    this.#nonces = nonces
    const now = () => this.#true - this.#back
    this.#homes = [new Home(0, now, witness), new Home(1, now, witness)]
  }

  static async begin(setting: Setting): Promise<World> {
    const world = new World(setting)
    for (const home of world.#homes) await home.enrol()
    world.#true = NOW
    return world
  }

  async do(act: Act): Promise<void> {
    switch (act.act) {
      case 'ask':
        return this.#ask(act)
      case 'wait':
        this.#true += act.minutes * MINUTE
        return
      case 'clock':
        this.#back = act.hoursBack * HOUR
        return
      case 'kill':
        return this.#homes[act.to].kill(act.kept)
      case 'copy':
        return this.#homes[act.to].copy()
      case 'restore':
        return this.#homes[act.to].restore(act.pick, act.parts)
      case 'lose': {
        const home = this.#homes[act.to]
        home.restore(act.pick)
        await home.start()
        return this.#unlock(home, act.hoursBack * HOUR)
      }
      case 'unlock':
        return this.#unlock(this.#homes[act.to], this.#back)
    }
  }

  /** Unlocks under a clock. It must be right where a TPM knows that a part is lost, and not when it was. */
  async #unlock(home: Home, clockBack: number): Promise<void> {
    const back = this.#back
    this.#back = this.#witness === 'tpm' ? 0 : clockBack
    await home.unlock()
    this.#back = back
  }

  async #ask(act: Extract<Act, { act: 'ask' }>): Promise<void> {
    const home = this.#homes[act.to]
    const { disk, model } = home
    const state = await home.start()
    const requests = act.asks.map((ask) => this.#request(ask, act.to))
    this.#claim++
    disk.claim = this.#claim
    model.ask(requests, this.#claim)
    const mustBeSilent = home.isLocked || model.isTakenBack(disk.marks)
    if (home.isLocked) this.tally.locks++
    const answers: SigningAnswer[] = []
    disk.fail(act.fault)
    home.witnessFault = act.witness
    try {
      await serveOnce({
        connection: this.#platform(act.known, requests, answers),
        state: () => state,
        events: { heard: () => {}, lock: (_how, known) => home.lock(known) },
        signal: new AbortController().signal,
        waitSeconds: 0,
      })
    } catch (error) {
      if (error instanceof JournalFailure) {
        this.tally.faults++
        home.kill(act.kept)
      } else if (!(error instanceof PlatformUnavailable)) throw error
    }
    disk.fail(null)
    home.witnessFault = 'works'
    await this.#judge(home, requests, answers, mustBeSilent)
  }

  async #judge(
    home: Home,
    requests: readonly SigningRequest[],
    answers: readonly SigningAnswer[],
    mustBeSilent: boolean,
  ) {
    const { disk, model } = home
    if (mustBeSilent && answers.length > 0) throw new Error('A locked signer answered')
    for (const answer of answers) {
      if (answer.outcome === 'refused') {
        this.tally.refused++
        continue
      }
      const request = requests.find(({ id }) => id === answer.request_id)
      if (!request) throw new Error('An answer to nothing')
      this.tally.signed++
      await model.signed(request, answer.signed_transaction, disk.marks, disk.synced)
    }
    model.requireLimits(disk.marks)
    requireExclusion(this.#homes.flatMap((each) => each.model.left))
  }

  #request(ask: AskPlan, to: SignerIndex): SigningRequest {
    const pool = ask.anyones ? this.#requests : this.#requests.filter((each) => each.to === to)
    // The latest requests are repeated most often.
    const before = pool.at(
      -1 - (ask.pick % Math.max(1, Math.min(pool.length, ask.pick % 4 === 0 ? pool.length : 5))),
    )
    if (ask.what === 'again' && before) return before.request
    const now = this.#true
    const named: SignerIndex = ask.anyones ? (to === 0 ? 1 : 0) : to
    const form = this.#forms[ask.intent.form % this.#forms.length] ?? 'eth'
    const made =
      ask.what === 'new' || !before
        ? makeIntent({ ...ask.intent, form, signer: named }, this.#made, now)
        : before.made
    if (made !== before?.made) this.#made.push(made)
    const plan =
      ask.what === 'more_fee' && before
        ? {
            ...ask.payload,
            fee: before.plan.fee + 1,
            nonce: before.plan.nonce,
            hot: before.plan.hot,
            coins: before.plan.coins,
            items: ask.pick % 2 === 0 ? before.plan.items : ask.payload.items,
          }
        : { ...ask.payload, nonce: ask.payload.nonce % this.#nonces }
    const request = makeRequest(made, plan, ask.crowd, to, now, `srq_${this.#requests.length}`)
    this.#requests.push({ request, made, plan, to })
    return request
  }

  #platform(
    known: 'echo' | 'false' | 'far',
    requests: readonly SigningRequest[],
    answers: SigningAnswer[],
  ): PlatformConnection {
    return {
      async post(path, body) {
        if (path === '/signer/v1/answers') {
          answers.push(body as SigningAnswer)
          return { status: 200, body: {} }
        }
        const { journal_head: head, journal_sequence: sequence } = body as {
          journal_head: string
          journal_sequence: number
        }
        const position = {
          echo: { head, sequence },
          false: { head: 'ab'.repeat(32), sequence: sequence + 3 },
          far: { head, sequence: Number.MAX_SAFE_INTEGER },
        }[known]
        return { status: 200, body: { known_journal: position, requests } }
      },
    }
  }
}
