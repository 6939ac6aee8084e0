/** Kills the processes of a payment at every commit: each transition is written and reported once. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { advanceChain } from '../../../activities/chain/advance-chain.js'
import { advancePayment } from '../../../db/payments/advance-payment.js'
import { type PaymentStage, startPaymentStage } from '../../stage/payments.js'
import { atEveryCommit } from './at-every-commit.js'
import { paymentLives } from './payment-lives.js'

let stage: PaymentStage
let lives: ReturnType<typeof paymentLives>
beforeAll(async () => {
  stage = await startPaymentStage('bitcoin')
  lives = paymentLives(stage)
})
afterAll(() => stage?.close())

test.each(['bitcoin', 'ethereum'] as const)(
  'creates, pays and confirms one payment on %s, and notifies its workflow, at whichever commit a process is killed',
  async (name) => {
    const own = await startPaymentStage(name)
    const { newSubject, confirm, facts } = paymentLives(own)
    try {
      const commits = await atEveryCommit(own.api.database, {
        prepare: async () => newSubject(),
        live: confirm,
        facts,
        deaths: 2,
      })
      expect(commits).toBeGreaterThan(9)
    } finally {
      await own.close()
    }
  },
  120_000,
)

test('expires a payment once, and raises its late deposit once, at whichever commit a process is killed', async () => {
  const commits = await atEveryCommit(stage.api.database, {
    prepare: () => lives.prepared(lives.create, lives.passTime),
    async live(sql, subject) {
      for (const id of await lives.idsOf(sql, subject)) await advancePayment(sql, id)
      await lives.pay(subject)
      lives.once(subject, 'bury', () => lives.mine(4))
      await lives.settle(sql, subject)
    },
    facts: (subject) => lives.facts(subject),
  })
  expect(commits).toBeGreaterThan(4)
}, 120_000)

test('expires a payment at the moment of its deposit in one way, whichever of timer and watcher is killed', async () => {
  const commits = await atEveryCommit(stage.api.database, {
    prepare: () => lives.prepared(lives.create, (_, subject) => lives.pay(subject), lives.passTime),
    async live(sql, subject) {
      lives.once(subject, 'bury', () => lives.mine(4))
      const [id = ''] = await lives.idsOf(sql, subject)
      await Promise.all([advancePayment(sql, id), advanceChain(sql, stage.model.adapter())])
      await lives.credit(sql, subject)
      await lives.follow(sql, subject)
    },
    async facts(subject) {
      // The scan comes first at times; then one event says both.
      const all = (await lives.facts(subject)) as {
        payments: { history: unknown; causes: unknown }[]
        events: { kind: unknown }[]
      }
      return {
        ...all,
        payments: all.payments.map(({ history: _, causes: __, ...payment }) => payment),
        events: all.events.map(({ kind }) => kind).filter((kind) => kind !== null),
      }
    },
  })
  expect(commits).toBeGreaterThan(3)
}, 120_000)
