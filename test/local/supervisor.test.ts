/** The supervisor of the local stack, with children that are killed. */

import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type RunningProcess, startProcess } from '../../local/parts/start-process.js'
import { cleanUp, processesSchema } from '../../local/stack/clean-up.js'
import { type Home, openHome, readJson, writeJson } from '../../local/stack/home.js'
import { startOf } from '../../local/stack/process-identity.js'
import { createSupervisor } from '../../local/stack/supervisor.js'

let home: Home
beforeEach(() => {
  home = openHome(mkdtempSync(join(tmpdir(), 'keyturn-supervisor-')))
})
afterEach(() => rmSync(home.path, { recursive: true, force: true }))

const sleeper = () =>
  startProcess({ name: 'sleeper', command: 'sleep', args: ['600'], logFile: home.log('sleeper') })

async function until(holds: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    if (holds()) return
    await sleep(50)
  }
  throw new Error('it never held')
}

test('starts a killed child again, shows it, and records it', async () => {
  const said: string[] = []
  let changes = 0
  const supervisor = createSupervisor(
    home,
    (line) => said.push(line),
    () => {
      changes += 1
    },
  )
  const { pid } = await supervisor.keep('sleeper', sleeper)
  process.kill(pid, 'SIGKILL')
  await until(() => (supervisor.pids().sleeper ?? pid) !== pid)
  const again = supervisor.pids().sleeper ?? 0
  expect(startOf(again)).not.toBeNull()
  expect(said.join('\n')).toContain('sleeper ended (SIGKILL)')
  expect(processesSchema.parse(readJson(home.processesFile)).children.map((child) => child.pid)).toEqual([
    again,
  ])
  expect(changes).toBe(2)
  await supervisor.stop()
  expect(startOf(again)).toBeNull()
})

test('ends the programs one by one, and then all parts at the same time', async () => {
  const events: string[] = []
  /** A process that takes a while to end, as a node does that writes its files. */
  const slow = (name: string) => async (): Promise<RunningProcess> => {
    let end = () => {}
    const exited = new Promise<{ code: number; signal: null }>((resolve) => {
      end = () => resolve({ code: 0, signal: null })
    })
    return {
      name,
      pid: process.pid,
      exited,
      async stop() {
        events.push(`${name} ends`)
        await sleep(20)
        events.push(`${name} ended`)
        end()
      },
    }
  }
  const supervisor = createSupervisor(
    home,
    () => {},
    () => {},
  )
  for (const part of ['database', 'node']) await supervisor.keepPart(part, slow(part))
  for (const program of ['api', 'worker']) await supervisor.keep(program, slow(program))
  await supervisor.stop()
  expect(events.slice(0, 4)).toEqual(['worker ends', 'worker ended', 'api ends', 'api ended'])
  expect(events.slice(4, 6)).toEqual(['database ends', 'node ends'])
  expect(events).toHaveLength(8)
})

test('ends at the next start what a killed supervisor left, and no other process', async () => {
  const [mine, stranger] = [await sleeper(), await sleeper()]
  writeJson(home.processesFile, {
    supervisor: { name: 'supervisor', pid: 2 ** 22 - 1, start: '1' },
    children: [
      { name: 'mine', pid: mine.pid, start: startOf(mine.pid) },
      // Another process has the number by now.
      { name: 'gone', pid: stranger.pid, start: 'another time' },
    ],
  })
  await cleanUp(home, () => {})
  expect(startOf(mine.pid)).toBeNull()
  expect(startOf(stranger.pid)).not.toBeNull()
  await stranger.stop()
})

test('refuses a second stack in one home', async () => {
  const other = await sleeper()
  writeJson(home.processesFile, {
    supervisor: { name: 'supervisor', pid: other.pid, start: startOf(other.pid) },
    children: [],
  })
  await expect(cleanUp(home, () => {})).rejects.toThrow('runs already')
  await other.stop()
})

test('ends the children of a killed parent', async () => {
  const script = join(home.path, 'parent.mts')
  const parts = new URL('../../local/parts/start-process.ts', import.meta.url).href
  const { writeFileSync } = await import('node:fs')
  writeFileSync(
    script,
    `import { type RunningProcess, startProcess } from '${parts}'
     import { writeFileSync } from 'node:fs'
     startProcess({ name: 'sleeper', command: 'sleep', args: ['600'], logFile: '${home.log('sleeper')}' })
       .then(({ pid }) => writeFileSync('${home.file('pid')}', String(pid)))
     setInterval(() => {}, 1000)`,
  )
  const parent = spawn(process.execPath, ['--import', 'tsx', script], { stdio: 'ignore' })
  const pid = () => {
    try {
      return Number(readFileSync(home.file('pid'), 'utf8'))
    } catch {
      return 0
    }
  }
  await until(() => pid() > 0)
  expect(startOf(pid())).not.toBeNull()
  parent.kill('SIGKILL')
  await until(() => startOf(pid()) === null)
})
