/** The file for docker compose, against the specification and against the code. */

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DCLinter } from 'dclint'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { findTemporal } from '../../local/parts/temporal.js'
import { SEARCH_ATTRIBUTE } from '../../temporal/search-attributes.js'

/**
 * The part of the Compose specification that the file uses. It is stricter than the specification's own
 * schema (https://github.com/compose-spec/compose-spec/blob/main/spec.md), which the file must satisfy as
 * well. The test needs no engine.
 */
const duration = z.string().regex(/^(\d+h)?(\d+m)?(\d+s)?$/)
const environment = z.record(z.string().regex(/^[A-Z][A-Z0-9_]*$/), z.string().nullable())
const condition = z.strictObject({
  condition: z.enum(['service_started', 'service_healthy', 'service_completed_successfully']),
})
const healthcheck = z.strictObject({
  test: z.tuple([z.enum(['CMD', 'CMD-SHELL']), z.string()], z.string()),
  interval: duration,
  timeout: duration,
  retries: z.int().positive(),
  start_period: duration.optional(),
})
const service = z.strictObject({
  image: z.string().regex(/^[a-z0-9./-]+(:[\w.-]+)?$/),
  build: z.string().optional(),
  restart: z.enum(['no', 'always', 'on-failure', 'unless-stopped']),
  entrypoint: z.array(z.string()).optional(),
  command: z.array(z.string()).optional(),
  environment: environment.optional(),
  depends_on: z.record(z.string(), condition).optional(),
  ports: z.array(z.string().regex(/^(127\.0\.0\.1:)?\d+:\d+$/)).optional(),
  volumes: z.array(z.string().regex(/^[a-z-]+:\/[\w./-]+$/)).optional(),
  healthcheck: healthcheck.optional(),
  read_only: z.boolean().optional(),
  tmpfs: z.array(z.string().startsWith('/')).optional(),
  cap_drop: z.array(z.string()).optional(),
  security_opt: z.array(z.string()).optional(),
})
const compose = z
  .strictObject({
    name: z.string(),
    services: z.record(z.string().regex(/^[a-z-]+$/), service),
    volumes: z.record(z.string(), z.null()),
  })
  .strict()

const path = fileURLToPath(new URL('../../docker-compose.yml', import.meta.url))
const text = readFileSync(path, 'utf8')
const { 'x-platform': _extension, ...document } = parse(text, { merge: true }) as Record<string, unknown>
const file = compose.parse(document)
const services = Object.entries(file.services)

const lintResults = z.array(
  z.object({ messages: z.array(z.object({ rule: z.string(), message: z.string() })) }),
)

/** Returns what the specification's JSON schema rejects in a file. */
function violations(file: string): string[] {
  const linter = new DCLinter({ rules: {}, quiet: true, debug: false, exclude: [] })
  return lintResults
    .parse(linter.lintFiles([file], false))
    .flatMap(({ messages }) => messages)
    .filter(({ rule }) => rule.startsWith('invalid-'))
    .map(({ message }) => message)
}

describe('docker-compose.yml', () => {
  test('satisfies the schema of the Compose specification', () => {
    expect(violations(path)).toEqual([])
    const directory = mkdtempSync(join(tmpdir(), 'keyturn-compose-'))
    const misspelled = join(directory, 'docker-compose.yml')
    writeFileSync(misspelled, text.replace('healthcheck:', 'healthchek:'))
    expect(violations(misspelled)).toEqual([expect.stringContaining('additional properties')])
    rmSync(directory, { recursive: true })
  })

  test('has every part of the stack', () => {
    expect(Object.keys(file.services)).toEqual(
      expect.arrayContaining([
        'postgres',
        'temporal',
        'temporal-ui',
        'bitcoin',
        'ethereum',
        'api',
        'worker-core',
        'worker-edge',
        'signer',
      ]),
    )
  })

  test('names only services and volumes that exist', () => {
    for (const [, { depends_on = {}, volumes = [] }] of services) {
      for (const [name, { condition: wanted }] of Object.entries(depends_on)) {
        const dependency = file.services[name]
        expect(dependency, name).toBeDefined()
        if (wanted === 'service_healthy') expect(dependency?.healthcheck, name).toBeDefined()
      }
      for (const volume of volumes) expect(file.volumes).toHaveProperty(volume.split(':')[0] ?? '')
    }
  })

  test('has the Temporal of the local stack', async () => {
    const command = await findTemporal(() => {})
    const { stdout } = spawnSync(command, ['--version'], { encoding: 'utf8' })
    const [, server, ui] = /\(Server ([\d.]+), UI ([\d.]+)\)/.exec(stdout) ?? []
    expect(server, stdout).toBeDefined()
    const images = services.map(([, { image }]) => image).filter((image) => image.startsWith('temporalio/'))
    expect(new Set(images)).toEqual(
      new Set([`temporalio/server:${server}`, `temporalio/admin-tools:${server}`, `temporalio/ui:${ui}`]),
    )
  })

  test('serves every role of a worker', () => {
    const roles = services.flatMap(([, each]) => each.environment?.KEYTURN_WORKER_ROLES?.split(',') ?? [])
    expect(roles.sort()).toEqual(['chain', 'core', 'exports', 'sealer', 'webhooks'])
  })

  test('takes every secret from the environment and holds none', () => {
    const secrets = readFileSync(new URL('../../.env.example', import.meta.url), 'utf8')
      .split('\n')
      .filter((line) => /^[A-Z]/.test(line))
    for (const line of secrets) expect(line).toMatch(/^[A-Z_]+=$/)
    const required = new Set([...text.matchAll(/\$\{([A-Z_]+):\?/g)].map(([, name]) => `${name}=`))
    expect(new Set(secrets)).toEqual(required)
    for (const [, { environment: variables = {} }] of services) {
      for (const [name, value] of Object.entries(variables)) {
        // A variable without a value is passed on only when it is set.
        const passedOn = value === null
        if (/PASSWORD|PASSPHRASE|PWD|_KEYS?$/.test(name) && !passedOn)
          expect(value).toMatch(/^\$\{[A-Z_]+:\?/)
      }
    }
  })

  test('publishes ports on this machine only, and none of the signer’s', () => {
    for (const [, { ports = [] }] of services)
      for (const port of ports) expect(port.startsWith('127.0.0.1:')).toBe(true)
    expect(file.services.signer?.ports).toBeUndefined()
  })

  test('keeps the platform’s secrets from the signer', () => {
    const names = Object.keys(file.services.signer?.environment ?? {})
    expect(names).not.toContain('KEYTURN_MASTER_KEY')
    expect(names).not.toContain('KEYTURN_DATABASE_URL')
  })

  test('registers every search attribute', () => {
    const command = file.services['temporal-setup']?.command ?? []
    for (const { name } of Object.values(SEARCH_ATTRIBUTE)) expect(command).toContain(`--name=${name}`)
  })
})
