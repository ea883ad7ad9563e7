import 'reflect-metadata';
import { Controller } from '@nestjs/common';
import { ROUTE_ARGS_METADATA, SELF_DECLARED_DEPS_METADATA } from '@nestjs/common/constants';
import { MessagePattern, Transport } from '@nestjs/microservices';
import type { Dependency, Resolved } from '../provide';
import type { GrpcHandlers, ServiceDefinition } from './definition';

/**
 * Makes a class the Nest controller of one gRPC service; handlers are found by their full method path. A class that
 * misses an RPC, or whose constructor takes other things than `dependencies`, does not compile. Handlers take
 * (request, context) as they are: Nest's parameter decorators and pipes are off.
 */
export function GrpcService<D extends ServiceDefinition, const T extends readonly Dependency<unknown>[]>(
  definition: D,
  dependencies: T,
) {
  return (target: new (...args: Resolved<T>) => GrpcHandlers<D>): void => {
    Controller()(target);
    const injected = dependencies.map((param, index) => ({ index, param }));
    Reflect.defineMetadata(SELF_DECLARED_DEPS_METADATA, injected, target);
    for (const [name, method] of Object.entries(definition)) {
      const descriptor = Object.getOwnPropertyDescriptor(target.prototype, name);
      if (descriptor === undefined) throw new Error(`${target.name} does not handle ${method.path}`);
      MessagePattern(method.path, Transport.GRPC)(target.prototype as object, name, descriptor);
      Reflect.defineMetadata(ROUTE_ARGS_METADATA, {}, target, name);
    }
  };
}
