"""tls.py PORT FOLDER: the simulated web at PORT behind TLS, on a port of its own, which is printed.

Listens on 127.0.0.1 to 127.0.0.32; the certificate is FOLDER/WORD.pem, after the first
word of the host's name (the SNI).  Serves until its standard input ends.
"""
import os
import socket
import ssl
import sys
import threading

target, folder = int(sys.argv[1]), sys.argv[2]


def context_of(name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(folder, name + ".pem"))
    return context


contexts = {file[:-4]: context_of(file[:-4]) for file in os.listdir(folder) if file.endswith(".pem")}


def choose(connection, name, _context):
    connection.context = contexts[(name or "good").split(".")[0]]


front = context_of("good")
front.sni_callback = choose


def copy(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    try:
        sink.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def serve(plain, address):
    try:
        inside = front.wrap_socket(plain, server_side=True)
        outside = socket.create_connection((address, target))
    except OSError:
        plain.close()
        return
    threading.Thread(target=copy, args=(outside, inside), daemon=True).start()
    copy(inside, outside)


def accept(listener, address):
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0], address), daemon=True).start()


port = 0
listeners = []
for last in range(1, 33):
    listener = socket.create_server((f"127.0.0.{last}", port))
    port = listener.getsockname()[1]
    listeners.append(listener)
    threading.Thread(target=accept, args=(listener, f"127.0.0.{last}"), daemon=True).start()
print(port, flush=True)
sys.stdin.read()
